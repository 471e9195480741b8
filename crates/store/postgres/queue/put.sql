-- The next key is the largest one and 1, as SQLite counts: whoever writes has the store's lock.
INSERT INTO queue (id, scope, name, settings)
SELECT coalesce(max(id), 0) + 1, $1::bigint, $2::text, $3::text FROM queue
ON CONFLICT (scope, name) DO UPDATE SET settings = excluded.settings
RETURNING id
