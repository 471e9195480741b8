SELECT c.id, c.scope, s.name, c.task, c.repository, c.state, c.gate, c.subject, c.tier, c.record, c.updated_at
FROM change c
JOIN scope s ON s.id = c.scope
WHERE c.id = $1
