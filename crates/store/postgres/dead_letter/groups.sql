SELECT s.name, d.fingerprint, min(d.kind), substr(min(d.error), 1, $2::integer), count(*) FILTER (WHERE d.status = 0), count(*), min(d.failed_at),
       max(d.failed_at)
FROM dead_letter d JOIN scope s ON s.id = d.scope
WHERE $1::text IS NULL OR s.name = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)))
GROUP BY s.name, d.fingerprint
ORDER BY 5 DESC, 6 DESC, 1, 2
LIMIT $3
