SELECT s.name, c.name, c.revision, c.timing, c.missed, c.last_at, c.next_at, c.what, a.name
FROM schedule c
JOIN scope s ON s.id = c.scope
JOIN actor a ON a.id = c.created_by
WHERE c.paused = 0 AND c.next_at IS NOT NULL AND c.next_at <= ?1
ORDER BY c.next_at
LIMIT ?2
