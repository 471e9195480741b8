SELECT stage, state, attempt, failures, why, feedback_gate, feedback_attempt, feedback_round, sent_back, past, thing, began_at,
       tally
FROM stage WHERE run = ?1 ORDER BY stage
