SELECT count(*) FROM (
    SELECT 1
    FROM repository r
    JOIN scope s ON s.id = r.scope
    WHERE $1::text IS NULL OR s.name = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)))
    LIMIT $2
) AS found
