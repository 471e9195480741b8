-- `scopes` names one.
SELECT * FROM run_named
WHERE scope = (SELECT s.id FROM scope s JOIN json_each(?1) j ON s.name = j.value)
  AND schedule = ?4
  AND (?2 IS NULL OR state IN (SELECT value FROM json_each(?2)))
  AND (?3 IS NULL OR pipeline = ?3)
  AND (?5 IS NULL OR title LIKE ?5 ESCAPE '\' OR pipeline LIKE ?5 ESCAPE '\')
  AND id < ?6
ORDER BY id DESC
LIMIT ?7 OFFSET ?8
