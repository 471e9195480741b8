-- By scope, so that the schedules of others are not counted.
SELECT count(*) FROM (
SELECT 1 FROM scope s CROSS JOIN schedule c
WHERE c.scope = s.id AND s.deleted_at IS NULL AND (?1 IS NULL OR s.name IN (SELECT value FROM json_each(?1)))
LIMIT ?2)
