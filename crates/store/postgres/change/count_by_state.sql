SELECT count(*) FROM (
    SELECT 1
    FROM change c
    JOIN scope s ON s.id = c.scope
    WHERE c.state = $5
      AND ($1::text IS NULL OR s.name = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb))))
      AND ($2::text IS NULL OR c.repository = $2)
      AND ($3::bigint IS NULL OR c.task = $3)
    LIMIT $4
) AS found
