-- Many at once: each parameter is a list, one value a row.
INSERT INTO unique_key (task, hash, until) SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[])
ON CONFLICT (task) DO UPDATE SET hash = excluded.hash, until = excluded.until
