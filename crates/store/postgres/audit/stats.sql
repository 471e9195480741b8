SELECT action, sum(entries)::bigint, min(first_at), max(last_at)
FROM audit_count
WHERE ($1::text IS NULL OR chain = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb))))
GROUP BY action
ORDER BY action
