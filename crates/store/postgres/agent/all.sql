SELECT id, name, instance, profile, draining, created_at, last_seen FROM agent WHERE deleted_at IS NULL ORDER BY id
