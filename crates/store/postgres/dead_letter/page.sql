SELECT * FROM dead_letter_named
WHERE ($1::text IS NULL OR scope IN (SELECT id FROM scope WHERE name = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)))))
  AND ($2::smallint IS NULL OR status = $2)
  AND ($3::text IS NULL OR category = $3)
  AND ($4::text IS NULL OR fingerprint = $4)
  AND id < $5
ORDER BY id DESC
LIMIT $6 OFFSET $7
