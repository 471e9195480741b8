INSERT INTO agent (name, instance, profile, draining, created_at, last_seen) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (name) DO UPDATE
SET instance = excluded.instance, profile = excluded.profile, draining = excluded.draining,
    last_seen = excluded.last_seen, deleted_at = NULL
RETURNING id
