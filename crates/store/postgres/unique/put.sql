-- Many at once: each parameter is a list, one value a row.
INSERT INTO unique_key (task, hash, until) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])
ON CONFLICT (task) DO UPDATE SET hash = excluded.hash, until = excluded.until
