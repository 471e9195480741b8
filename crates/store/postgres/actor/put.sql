-- The next key is the largest one and 1, as SQLite counts: whoever writes has the store's lock.
INSERT INTO actor (id, name)
SELECT coalesce(max(id), 0) + 1, $1::text FROM actor
ON CONFLICT (name) DO UPDATE SET name = excluded.name
RETURNING id
