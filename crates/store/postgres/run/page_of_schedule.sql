-- `scopes` names one.
SELECT * FROM run_named
WHERE scope = (SELECT s.id FROM scope s WHERE s.name = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb))))
  AND schedule = $4
  AND ($2::text IS NULL OR state = ANY (ARRAY(SELECT jsonb_array_elements_text($2::text::jsonb)::smallint)))
  AND ($3::text IS NULL OR pipeline = $3)
  AND ($5::text IS NULL OR title ILIKE $5 ESCAPE '\' OR pipeline ILIKE $5 ESCAPE '\')
  AND id < $6
ORDER BY id DESC
LIMIT $7 OFFSET $8
