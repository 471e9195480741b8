SELECT id FROM task WHERE state = 1 AND run_at <= $1 ORDER BY run_at, id LIMIT $2
