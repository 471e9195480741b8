SELECT id, kind, token, expires_at, digest FROM sign_in ORDER BY id
