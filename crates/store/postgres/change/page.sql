SELECT c.id, c.scope, s.name, c.task, c.repository, c.state, c.gate, c.subject, c.tier, c.record, c.updated_at
FROM change c
JOIN scope s ON s.id = c.scope
WHERE ($1::text IS NULL OR s.name = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb))))
  AND ($2::text IS NULL OR c.repository = $2)
  AND ($3::bigint IS NULL OR c.task = $3)
  AND c.id < $4
ORDER BY c.id DESC
LIMIT $5 OFFSET $6
