SELECT g.id, g.scope, s.name, g.state, g.subject, g.change, g.record, g.opened_at
FROM gate g
JOIN scope s ON s.id = g.scope
WHERE g.id = $1
