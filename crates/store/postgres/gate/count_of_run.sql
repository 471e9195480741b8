SELECT count(*) FROM (
    SELECT 1
    FROM gate g
    JOIN scope s ON s.id = g.scope
    WHERE g.run = $4
      AND ($3::text IS NULL OR g.state = $3)
      AND ($1::text IS NULL OR s.name = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb))))
    LIMIT $2
) AS found
