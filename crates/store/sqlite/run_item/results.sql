-- A page of what came out of each, without the values.
SELECT item, state, result, error
FROM run_item WHERE run = ?1 AND stage = ?2 AND attempt = ?3 AND item > ?4 ORDER BY item LIMIT ?5
