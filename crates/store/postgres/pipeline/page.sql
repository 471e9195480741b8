SELECT s.name, p.name, p.version, p.number, v.sha256, v.stages, p.published_at, a.name
FROM scope s
JOIN pipeline p ON p.scope = s.id
JOIN pipeline_version v ON v.id = p.version
JOIN actor a ON a.id = p.published_by
WHERE s.deleted_at IS NULL AND p.deleted_at IS NULL
  AND ($1::text IS NULL OR s.name = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb))))
  AND ($2::text IS NULL OR (s.name, p.name) > ($2, $3))
ORDER BY s.name, p.name
LIMIT $4 OFFSET $5
