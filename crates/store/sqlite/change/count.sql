SELECT count(*) FROM (
    SELECT 1
    FROM change c
    JOIN scope s ON s.id = c.scope
    WHERE (?1 IS NULL OR s.name IN (SELECT value FROM json_each(?1)))
      AND (?2 IS NULL OR c.repository = ?2)
      AND (?3 IS NULL OR c.task = ?3)
    LIMIT ?4
)
