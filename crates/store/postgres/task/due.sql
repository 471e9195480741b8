SELECT id FROM task WHERE phase = 1 AND run_at <= $1 ORDER BY run_at, id LIMIT $2
