SELECT stage, state, attempt, failures, why, feedback_gate, feedback_attempt, feedback_round, sent_back, past, thing, began_at,
       tally, run
FROM stage WHERE run = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)::bigint)) ORDER BY run, stage
