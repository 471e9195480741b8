INSERT INTO change (id, scope, task, repository, state, gate, subject, tier, record, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
