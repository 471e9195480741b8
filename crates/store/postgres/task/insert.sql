-- Many at once: each parameter is a list, one value a row.
INSERT INTO task (id, scope, queue, lane, state, kind, title, payload, priority, extras, created_by, ready_at, run_at,
                  deadline, timeout_ms, max_attempts, waits_for, dependencies, unique_key, unique_for_ms)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::smallint[], $6::text[], $7::text[],
                     $8::text[], $9::smallint[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[],
                     $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::text[], $20::bigint[])
