-- Many at once: each parameter is a list, one value a row.
INSERT INTO artifact_ref (artifact, run)
SELECT unnest($1::bigint[]), unnest($2::bigint[])
ON CONFLICT (artifact, run) DO NOTHING
