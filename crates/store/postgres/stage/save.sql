-- Only from the state and the attempt that the caller knows. Another attempt begins without a thing.
-- Many at once: each parameter is a list, one value a row.
UPDATE stage AS t
SET state = n.state, attempt = n.to_attempt, failures = n.failures, why = n.why, feedback_gate = n.feedback_gate,
    feedback_attempt = n.feedback_attempt, feedback_round = n.feedback_round, sent_back = n.sent_back, past = n.past,
    thing = coalesce(n.thing, CASE WHEN t.attempt = n.to_attempt THEN t.thing END),
    began_at = coalesce(n.began_at, CASE WHEN t.attempt = n.to_attempt THEN t.began_at END), tally = n.tally
FROM (SELECT unnest($1::bigint[]) AS run, unnest($2::bigint[]) AS stage, unnest($3::smallint[]) AS was,
             unnest($4::bigint[]) AS was_attempt, unnest($5::smallint[]) AS state, unnest($6::bigint[]) AS to_attempt,
             unnest($7::bigint[]) AS failures, unnest($8::text[]) AS why, unnest($9::bigint[]) AS feedback_gate,
             unnest($10::bigint[]) AS feedback_attempt, unnest($11::bigint[]) AS feedback_round,
             unnest($12::bigint[]) AS sent_back, unnest($13::bigint[]) AS past, unnest($14::bigint[]) AS thing,
             unnest($15::bigint[]) AS began_at, unnest($16::text[]) AS tally) AS n
WHERE t.run = n.run AND t.stage = n.stage AND t.state = n.was AND t.attempt = n.was_attempt
