SELECT count(*) FROM (
SELECT 1 FROM audit
WHERE ($1::text IS NULL OR chain = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb))))
  AND ($2::text IS NULL OR action = $2)
  AND ($3::text IS NULL OR actor = $3)
  AND ($4::text IS NULL OR target = $4)
  AND ($5::bigint IS NULL OR time >= $5)
  AND ($6::bigint IS NULL OR time < $6)
LIMIT $7) AS found
