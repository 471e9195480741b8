SELECT f.id, f.scope, s.name, f.sha256, f.size, f.media_type, f.name, f.task, f.generation, f.run, f.output
FROM artifact f
JOIN scope s ON s.id = f.scope
WHERE f.id = ?1
