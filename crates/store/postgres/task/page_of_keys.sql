-- Those of these keys that run. In the index of a shared store they stand among all that are ready.
SELECT * FROM task_named
WHERE state = 3 AND id = ANY (ARRAY(SELECT jsonb_array_elements_text($2::text::jsonb)::bigint))
  AND ($1::text IS NULL OR scope_name = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb))))
  AND ($3::text IS NULL OR queue_name = $3)
  AND ($4::text IS NULL OR queue_name = ANY (ARRAY(SELECT jsonb_array_elements_text($4::text::jsonb))))
  AND ($5::text IS NULL OR kind = $5)
  AND ($6::text IS NULL OR extras::jsonb ->> 'category' = $6)
  AND ($7::text IS NULL OR extras::jsonb -> 'labels' ? $7)
  AND ($8::text IS NULL OR agent_name = $8)
  AND ($9::text IS NULL OR title ILIKE $9 ESCAPE '\')
  AND id < $10
ORDER BY id DESC
LIMIT $11 OFFSET $12
