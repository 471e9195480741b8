SELECT count(*) FROM (
    SELECT 1
    FROM gate g
    JOIN scope s ON s.id = g.scope
    WHERE (?1 IS NULL OR s.name IN (SELECT value FROM json_each(?1)))
    LIMIT ?2
)
