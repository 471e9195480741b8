-- The newest of a digest within these scopes.
SELECT f.id, f.scope, s.name, f.sha256, f.size, f.media_type, f.name, f.task, f.generation, f.run, f.output
FROM artifact f
JOIN scope s ON s.id = f.scope
WHERE f.sha256 = ?1
  AND (?2 IS NULL OR s.name IN (SELECT value FROM json_each(?2)))
ORDER BY f.id DESC
LIMIT 1
