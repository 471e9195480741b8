SELECT g.id, g.scope, s.name, g.state, g.subject, g.change, g.record, g.opened_at, g.run, g.stage, g.attempt, g.item,
       g.item_attempt, g.artifact, g.origin, g.weight
FROM gate g
JOIN scope s ON s.id = g.scope
WHERE (?1 IS NULL OR s.name IN (SELECT value FROM json_each(?1)))
  AND g.id < ?2
ORDER BY g.id DESC
LIMIT ?3 OFFSET ?4
