-- Many at once: each parameter is a list, one value a row.
INSERT INTO run_wait (run, stage, attempt, item, item_attempt, scope, type, subject, seen_seq)
SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::bigint[]), unnest($5::bigint[]),
       unnest($6::bigint[]), unnest($7::smallint[]), unnest($8::text[]), unnest($9::bigint[])
