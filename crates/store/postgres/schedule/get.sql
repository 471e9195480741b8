SELECT s.name, c.name, c.revision, c.timing, c.what, c.missed, c.overlap, c.paused, c.last_at, c.next_at, a.name,
       c.updated_at, c.last
FROM schedule c
JOIN scope s ON s.id = c.scope
JOIN actor a ON a.id = c.created_by
WHERE s.name = $1 AND c.name = $2
