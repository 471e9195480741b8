SELECT count(*) FROM (
SELECT 1 FROM template t JOIN scope s ON s.id = t.scope
WHERE s.deleted_at IS NULL AND (?1 IS NULL OR s.name IN (SELECT value FROM json_each(?1)))
LIMIT ?2)
