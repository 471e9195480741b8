SELECT count(*) FROM (
SELECT 1 FROM template t JOIN scope s ON s.id = t.scope
WHERE s.deleted_at IS NULL AND ($1::text IS NULL OR s.name = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb))))
LIMIT $2) AS found
