-- By scope, so that the schedules of others are not counted.
SELECT count(*) FROM (
SELECT 1 FROM scope s CROSS JOIN schedule c
WHERE c.scope = s.id AND s.deleted_at IS NULL
  AND ($1::text IS NULL OR s.name = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb))))
LIMIT $2) AS found
