UPDATE task SET title = $2, priority = $3, extras = $4, lane = $5, run_at = $6, deadline = $7 WHERE id = $1
