-- States of which there is an index: those that move. The condition is repeated, so that it is used.
SELECT * FROM run_named
WHERE state IN (SELECT value FROM json_each(?2)) AND state < 3
  AND (?1 IS NULL OR scope_name IN (SELECT value FROM json_each(?1)))
  AND (?3 IS NULL OR pipeline = ?3)
  AND (?4 IS NULL OR schedule = ?4)
  AND (?5 IS NULL OR title LIKE ?5 ESCAPE '\' OR pipeline LIKE ?5 ESCAPE '\')
  AND id < ?6
ORDER BY id DESC
LIMIT ?7 OFFSET ?8
