SELECT id FROM task WHERE starts_at IS NOT NULL AND starts_at <= $1 ORDER BY starts_at, id LIMIT $2
