SELECT min(expires_at) FROM gate WHERE state = 'open' AND expires_at IS NOT NULL
