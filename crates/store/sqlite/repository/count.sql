SELECT count(*) FROM (
    SELECT 1
    FROM repository r
    JOIN scope s ON s.id = r.scope
    WHERE ?1 IS NULL OR s.name IN (SELECT value FROM json_each(?1))
    LIMIT ?2
)
