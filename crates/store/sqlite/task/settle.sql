-- Only the generation that runs may end itself (E3, D1).
UPDATE task
SET state = ?3, outcome = ?4, result = ?5, error = ?6, used = ?7, run_at = coalesce(?8, run_at), settled_at = ?9,
    ready_at = coalesce(?10, ready_at), ended_at = ?11, stop = ?12, reason = ?13
WHERE id = ?1 AND generation = ?2 AND state = 3
