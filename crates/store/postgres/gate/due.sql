SELECT id FROM gate
WHERE state = 'open' AND expires_at IS NOT NULL AND expires_at <= $1
ORDER BY expires_at
LIMIT $2
