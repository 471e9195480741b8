-- By scope, so that the repositories of others are not counted.
SELECT count(*) FROM (
    SELECT 1
    FROM scope s
    CROSS JOIN repository r
    WHERE r.scope = s.id
      AND ($1::text IS NULL OR s.name = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb))))
    LIMIT $2
) AS found
