SELECT item, value, state, tries, rest, thing, result, error
FROM run_item
WHERE run = ?1 AND stage = ?2 AND attempt = ?3 AND item IN (SELECT value FROM json_each(?4))
ORDER BY item
