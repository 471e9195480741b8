INSERT INTO gate (id, scope, state, subject, change, record, opened_at, expires_at, decided_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
