SELECT item, value, state, tries, rest, thing, result, error
FROM run_item
WHERE run = $1 AND stage = $2 AND attempt = $3 AND item > $4
  AND state = ANY (ARRAY(SELECT jsonb_array_elements_text($6::text::jsonb)::smallint))
ORDER BY item LIMIT $5
