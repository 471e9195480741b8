SELECT run, task FROM schedule_start
WHERE scope = $1 AND name = $2 AND state IN (0, 1)
ORDER BY revision, at
LIMIT $3
