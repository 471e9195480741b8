-- Many at once: each parameter is a list, one value a row.
INSERT INTO dependency (task, depends_on) SELECT * FROM unnest($1::bigint[], $2::bigint[]) ON CONFLICT DO NOTHING
