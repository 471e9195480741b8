INSERT INTO template (scope, name, description, task, updated_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (scope, name) DO UPDATE
SET description = excluded.description, task = excluded.task, updated_at = excluded.updated_at
