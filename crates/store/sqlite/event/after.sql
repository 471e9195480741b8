SELECT e.seq, e.epoch, s.name, e.scope_seq, e.type, e.time, a.name, e.request, e.noun, e.thing, e.name, e.task, e.data,
       e.run
FROM event e
CROSS JOIN scope s ON s.id = e.scope
CROSS JOIN actor a ON a.id = e.actor
WHERE e.seq > ?1 AND e.seq <= ?8
  AND (?3 IS NULL OR e.scope IN (SELECT id FROM scope WHERE name IN (SELECT value FROM json_each(?3))))
  AND (?4 IS NULL OR e.type IN (SELECT value FROM json_each(?4)))
  AND (?5 IS NULL OR (e.noun = ?5 AND e.thing = ?6) OR (?5 = 0 AND e.task = ?6))
  AND (?7 IS NULL OR e.name = ?7)
  AND (?9 = 0 OR e.run IS NOT NULL)
ORDER BY e.seq
LIMIT ?2
