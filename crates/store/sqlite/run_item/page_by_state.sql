SELECT item, value, state, tries, rest, thing, result, error
FROM run_item
WHERE run = ?1 AND stage = ?2 AND attempt = ?3 AND item > ?4 AND state IN (SELECT value FROM json_each(?6))
ORDER BY item LIMIT ?5
