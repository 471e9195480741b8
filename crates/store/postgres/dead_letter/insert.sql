INSERT INTO dead_letter (id, scope, task, status, fingerprint, kind, category, error, agent, failed_at, attempts, moved_at, blocked)
VALUES ($1, $2, $3, 0, $4, $5, $6, $7, $8, $9, $10, $9, $11)
