SELECT c.id, c.scope, s.name, c.task, c.repository, c.state, c.gate, c.subject, c.tier, c.record, c.updated_at
FROM change c
JOIN scope s ON s.id = c.scope
WHERE (?1 IS NULL OR s.name IN (SELECT value FROM json_each(?1)))
  AND (?2 IS NULL OR c.repository = ?2)
  AND (?3 IS NULL OR c.task = ?3)
  AND c.id < ?4
ORDER BY c.id DESC
LIMIT ?5 OFFSET ?6
