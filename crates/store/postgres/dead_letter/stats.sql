SELECT d.status, count(*) FROM dead_letter d JOIN scope s ON s.id = d.scope
WHERE $1::text IS NULL OR s.name = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)))
GROUP BY d.status
ORDER BY d.status
