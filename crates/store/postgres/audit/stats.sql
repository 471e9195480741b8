SELECT action, count(*), min(time), max(time)
FROM audit
WHERE ($1::text IS NULL OR chain = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb))))
GROUP BY action
ORDER BY action
