-- Many at once: each parameter is a list, one value a row.
INSERT INTO dependency (task, depends_on) SELECT unnest($1::bigint[]), unnest($2::bigint[]) ON CONFLICT DO NOTHING
