SELECT min(expires_at) FROM gate INDEXED BY gate_by_expiry WHERE state = 'open' AND expires_at IS NOT NULL
