UPDATE task
SET priority = $2, extras = $3, payload = $4, lane = $5, run_at = $6, deadline = $7, used = 0, reason = NULL, ended_at = NULL,
    progress = NULL, message = NULL
WHERE id = $1
