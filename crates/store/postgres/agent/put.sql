-- The next key is the largest one and 1, as SQLite counts: whoever writes has the store's lock.
INSERT INTO agent (id, name, instance, profile, draining, created_at, last_seen)
SELECT coalesce(max(id), 0) + 1, $1::text, $2::text, $3::text, $4::smallint, $5::bigint, $6::bigint FROM agent
ON CONFLICT (name) DO UPDATE
SET instance = excluded.instance, profile = excluded.profile, draining = excluded.draining,
    last_seen = excluded.last_seen, deleted_at = NULL
RETURNING id
