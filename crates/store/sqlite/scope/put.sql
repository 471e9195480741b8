INSERT INTO scope (name, description, created_at) VALUES (?1, ?2, ?3)
ON CONFLICT (name) DO UPDATE SET description = excluded.description, deleted_at = NULL
RETURNING id
