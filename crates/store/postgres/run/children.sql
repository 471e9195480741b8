SELECT * FROM run_named WHERE parent = $1 AND id > $2 ORDER BY id LIMIT $3
