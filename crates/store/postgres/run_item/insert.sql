-- What is there stays: a list that was cut off is written again.
-- Many at once: each parameter is a list, one value a row.
INSERT INTO run_item (run, stage, attempt, item, value, state, tries)
SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::bigint[]), unnest($5::text[]),
       unnest($6::smallint[]), unnest($7::bigint[])
ON CONFLICT (run, stage, attempt, item) DO NOTHING
