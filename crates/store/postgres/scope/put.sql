-- The next key is the largest one and 1, as SQLite counts: whoever writes has the store's lock.
INSERT INTO scope (id, name, description, created_at)
SELECT coalesce(max(id), 0) + 1, $1::text, $2::text, $3::bigint FROM scope
ON CONFLICT (name) DO UPDATE SET description = excluded.description, deleted_at = NULL
RETURNING id
