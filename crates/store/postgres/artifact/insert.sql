INSERT INTO artifact (id, scope, sha256, size, media_type, name, task, generation, run, output)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
