-- The same bytes may be two outputs.
SELECT f.id, f.scope, s.name, f.sha256, f.size, f.media_type, f.name, f.task, f.generation, f.run, f.output
FROM artifact f
JOIN scope s ON s.id = f.scope
WHERE f.task = $1 AND f.generation = $2 AND f.sha256 = $3 AND f.output IS NOT DISTINCT FROM $4
ORDER BY f.id
LIMIT 1
