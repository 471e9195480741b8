INSERT INTO gate (id, scope, state, subject, change, record, opened_at, expires_at, decided_at, run, stage, attempt, item,
                  item_attempt, artifact, origin, weight, tell_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
