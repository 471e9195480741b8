-- Many at once: each parameter is a list, one value a row.
INSERT INTO run_timer (run, stage, attempt, item, item_attempt, what, due_at)
SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::bigint[]), unnest($5::bigint[]),
       unnest($6::smallint[]), unnest($7::bigint[])
ON CONFLICT (run, stage, attempt, item, item_attempt, what) DO UPDATE SET due_at = excluded.due_at
