SELECT s.name, t.name, t.description, t.task, t.updated_at
FROM template t JOIN scope s ON s.id = t.scope
WHERE s.name = $1 AND t.name = $2
