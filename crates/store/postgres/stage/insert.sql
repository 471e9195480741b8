-- Many at once: each parameter is a list, one value a row.
INSERT INTO stage (run, stage, state, attempt, failures, why, feedback_gate, feedback_attempt, feedback_round,
                   sent_back, past, tally)
SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::smallint[]), unnest($4::bigint[]), unnest($5::bigint[]),
       unnest($6::text[]), unnest($7::bigint[]), unnest($8::bigint[]), unnest($9::bigint[]), unnest($10::bigint[]),
       unnest($11::bigint[]), unnest($12::text[])
