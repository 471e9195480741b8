SELECT name, instance, address, seen_at, applied FROM server ORDER BY name
