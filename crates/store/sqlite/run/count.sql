SELECT count(*) FROM (
    SELECT 1 FROM run_named
    WHERE (?1 IS NULL OR scope_name IN (SELECT value FROM json_each(?1)))
      AND (?2 IS NULL OR state IN (SELECT value FROM json_each(?2)))
      AND (?3 IS NULL OR pipeline = ?3)
      AND (?4 IS NULL OR schedule = ?4)
      AND (?5 IS NULL OR title LIKE ?5 ESCAPE '\' OR pipeline LIKE ?5 ESCAPE '\')
    LIMIT ?6
) AS found
