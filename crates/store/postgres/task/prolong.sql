UPDATE task SET lease_ms = $3, instance = $4
WHERE id = $1 AND generation = $2 AND state = 3
