-- Many at once: each parameter is a list, one value a row.
INSERT INTO scope_seq (scope, part, last_seq)
SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[])
ON CONFLICT (scope, part) DO UPDATE SET last_seq = excluded.last_seq
