-- Many at once: each parameter is a list, one value a row.
INSERT INTO task (id, scope, queue, lane, state, kind, title, payload, priority, extras, created_by, ready_at, run_at,
                  deadline, timeout_ms, max_attempts, waits_for, dependencies, unique_key, unique_for_ms, run)
SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::bigint[]),
       unnest($5::smallint[]), unnest($6::text[]), unnest($7::text[]), unnest($8::text[]),
       unnest($9::smallint[]), unnest($10::text[]), unnest($11::bigint[]), unnest($12::bigint[]),
       unnest($13::bigint[]), unnest($14::bigint[]), unnest($15::bigint[]), unnest($16::bigint[]),
       unnest($17::bigint[]), unnest($18::bigint[]), unnest($19::text[]), unnest($20::bigint[]), unnest($21::bigint[])
