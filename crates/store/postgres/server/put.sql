INSERT INTO server (name, instance, address, seen_at, applied) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name) DO UPDATE
SET instance = excluded.instance, address = excluded.address, seen_at = excluded.seen_at, applied = excluded.applied
