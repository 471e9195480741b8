-- Many at once: each parameter is a list, one value a row.
INSERT INTO run_output (run, stage, attempt, item, name, kind, artifact, value)
SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::bigint[]), unnest($5::text[]),
       unnest($6::smallint[]), unnest($7::bigint[]), unnest($8::text[])
