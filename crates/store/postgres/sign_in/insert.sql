INSERT INTO sign_in (id, digest, kind, token, expires_at) VALUES ($1, $2, $3, $4, $5)
