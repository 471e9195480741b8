-- `scopes` names one.
SELECT count(*) FROM (
    SELECT 1 FROM run_named
    WHERE scope = (SELECT s.id FROM scope s WHERE s.name = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb))))
      AND pipeline = $3
      AND ($2::text IS NULL OR state = ANY (ARRAY(SELECT jsonb_array_elements_text($2::text::jsonb)::smallint)))
      AND ($4::text IS NULL OR schedule = $4)
      AND ($5::text IS NULL OR title ILIKE $5 ESCAPE '\' OR pipeline ILIKE $5 ESCAPE '\')
    LIMIT $6
) AS found
