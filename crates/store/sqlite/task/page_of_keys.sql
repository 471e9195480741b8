-- Those of these keys that run. In the index of a shared store they stand among all that are ready.
SELECT * FROM task_named
WHERE state = 3 AND id IN (SELECT value FROM json_each(?2))
  AND (?1 IS NULL OR scope_name IN (SELECT value FROM json_each(?1)))
  AND (?3 IS NULL OR queue_name = ?3)
  AND (?4 IS NULL OR queue_name IN (SELECT value FROM json_each(?4)))
  AND (?5 IS NULL OR kind = ?5)
  AND (?6 IS NULL OR extras ->> '$.category' = ?6)
  AND (?7 IS NULL OR EXISTS (SELECT 1 FROM json_each(extras, '$.labels') WHERE value = ?7))
  AND (?8 IS NULL OR agent_name = ?8)
  AND (?9 IS NULL OR title LIKE ?9 ESCAPE '\')
  AND id < ?10
ORDER BY id DESC
LIMIT ?11 OFFSET ?12
