SELECT s.name, t.name, t.description, t.task, t.updated_at
FROM template t JOIN scope s ON s.id = t.scope
WHERE s.deleted_at IS NULL AND ($1::text IS NULL OR s.name = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb))))
  AND ($2::text IS NULL OR (s.name, t.name) > ($2, $3))
ORDER BY s.name, t.name
LIMIT $4 OFFSET $5
