-- States of which there is an index: those that move. The condition is repeated, so that it is used.
SELECT * FROM run_named
WHERE state = ANY (ARRAY(SELECT jsonb_array_elements_text($2::text::jsonb)::smallint)) AND state < 3
  AND ($1::text IS NULL OR scope_name = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb))))
  AND ($3::text IS NULL OR pipeline = $3)
  AND ($4::text IS NULL OR schedule = $4)
  AND ($5::text IS NULL OR title ILIKE $5 ESCAPE '\' OR pipeline ILIKE $5 ESCAPE '\')
  AND id < $6
ORDER BY id DESC
LIMIT $7 OFFSET $8
