-- Many at once: each parameter is a list, one value a row.
INSERT INTO run_call (run, stage, attempt, item, item_attempt, request, state, tries)
SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::bigint[]), unnest($5::bigint[]),
       unnest($6::text[]), unnest($7::smallint[]), unnest($8::bigint[])
