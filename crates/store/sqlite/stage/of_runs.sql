SELECT stage, state, attempt, failures, why, feedback_gate, feedback_attempt, feedback_round, sent_back, past, thing, began_at,
       tally, run
FROM stage WHERE run IN (SELECT value FROM json_each(?1)) ORDER BY run, stage
