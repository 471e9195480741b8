-- The newest of a name is last: an output may have been handed in again.
SELECT f.id, f.scope, s.name, f.sha256, f.size, f.media_type, f.name, f.task, f.generation, f.run, f.output
FROM artifact f
JOIN scope s ON s.id = f.scope
WHERE f.task = ?1 AND f.generation = ?2 AND f.output IS NOT NULL
ORDER BY f.id
LIMIT ?3
