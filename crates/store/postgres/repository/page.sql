SELECT s.name, r.name, r.url, r.path, r.branch, r.agent, r.settings, r.state, r.candidate, r.probe, r.head, r.rules,
       r.error, r.created_at, r.probed_at
FROM repository r
JOIN scope s ON s.id = r.scope
WHERE ($1::text IS NULL OR s.name = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb))))
  AND (s.name, r.name) > ($2, $3)
ORDER BY s.name, r.name
LIMIT $4 OFFSET $5
