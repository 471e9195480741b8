SELECT item, value, state, tries, rest, thing, result, error
FROM run_item WHERE run = $1 AND stage = $2 AND attempt = $3 AND item = $4
