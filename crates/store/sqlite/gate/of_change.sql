SELECT g.id, g.scope, s.name, g.state, g.subject, g.change, g.record, g.opened_at, g.run, g.stage, g.attempt, g.item,
       g.item_attempt, g.artifact, g.origin, g.weight
FROM gate g
JOIN scope s ON s.id = g.scope
WHERE g.change = ?1
ORDER BY g.id DESC
LIMIT ?2
