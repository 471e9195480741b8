-- Many at once: each parameter is a list, one value a row.
INSERT INTO run_input (run, input)
SELECT unnest($1::bigint[]), unnest($2::text[])
