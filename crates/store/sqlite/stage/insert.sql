INSERT INTO stage (run, stage, state, attempt, failures, why, feedback_gate, feedback_attempt, feedback_round,
                   sent_back, past, tally)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
