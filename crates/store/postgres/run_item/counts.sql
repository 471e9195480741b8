SELECT state, count(*) FROM run_item WHERE run = $1 AND stage = $2 AND attempt = $3 GROUP BY state ORDER BY state
