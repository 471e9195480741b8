INSERT INTO token (id, digest, label, owner, groups, role, scopes, queues, agent, expires)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
