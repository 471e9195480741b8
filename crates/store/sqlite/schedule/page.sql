SELECT s.name, c.name, c.revision, c.timing, c.what, c.missed, c.overlap, c.paused, c.last_at, c.next_at, a.name,
       c.updated_at, c.last
FROM schedule c
JOIN scope s ON s.id = c.scope
JOIN actor a ON a.id = c.created_by
WHERE s.deleted_at IS NULL AND (?1 IS NULL OR s.name IN (SELECT value FROM json_each(?1)))
  AND (?2 IS NULL OR (s.name, c.name) > (?2, ?3))
ORDER BY s.name, c.name
LIMIT ?4 OFFSET ?5
