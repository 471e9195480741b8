INSERT INTO pipeline (scope, name, version, number, published_at, published_by) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (scope, name) DO UPDATE
SET version = excluded.version, number = excluded.number, published_at = excluded.published_at,
    published_by = excluded.published_by, deleted_at = NULL
