-- Only from the state and the attempt that the caller knows. Another attempt begins without a thing.
UPDATE stage
SET state = ?5, attempt = ?6, failures = ?7, why = ?8, feedback_gate = ?9, feedback_attempt = ?10,
    feedback_round = ?11, sent_back = ?12, past = ?13, thing = coalesce(?14, CASE WHEN attempt = ?6 THEN thing END),
    began_at = coalesce(?15, CASE WHEN attempt = ?6 THEN began_at END), tally = ?16
WHERE run = ?1 AND stage = ?2 AND state = ?3 AND attempt = ?4
