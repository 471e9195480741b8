SELECT count(*) FROM artifact WHERE task = $1 AND generation = $2
