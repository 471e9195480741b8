UPDATE task
SET state = ?4, run_at = ?5, waits_for = ?6, ready_at = coalesce(?7, ready_at), ended_at = ?8, reason = ?9
WHERE id = ?1 AND state = ?2 AND generation = ?3
