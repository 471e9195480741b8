-- By scope, so that the repositories of others are not counted.
SELECT count(*) FROM (
    SELECT 1
    FROM scope s
    CROSS JOIN repository r
    WHERE r.scope = s.id AND (?1 IS NULL OR s.name IN (SELECT value FROM json_each(?1)))
    LIMIT ?2
)
