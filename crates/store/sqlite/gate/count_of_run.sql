SELECT count(*) FROM (
    SELECT 1
    FROM gate g
    JOIN scope s ON s.id = g.scope
    WHERE g.run = ?4
      AND (?3 IS NULL OR g.state = ?3)
      AND (?1 IS NULL OR s.name IN (SELECT value FROM json_each(?1)))
    LIMIT ?2
)
