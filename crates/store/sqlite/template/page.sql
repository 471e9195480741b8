SELECT s.name, t.name, t.description, t.task, t.updated_at
FROM template t JOIN scope s ON s.id = t.scope
WHERE s.deleted_at IS NULL AND (?1 IS NULL OR s.name IN (SELECT value FROM json_each(?1)))
  AND (?2 IS NULL OR (s.name, t.name) > (?2, ?3))
ORDER BY s.name, t.name
LIMIT ?4 OFFSET ?5
