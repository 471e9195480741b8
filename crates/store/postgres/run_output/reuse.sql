-- What an earlier attempt put out counts for a later one.
INSERT INTO run_output (run, stage, attempt, item, name, kind, artifact, value)
SELECT run, stage, $4::bigint, item, name, kind, artifact, value
FROM run_output WHERE run = $1 AND stage = $2 AND attempt = $3
