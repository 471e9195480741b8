INSERT INTO run_output (run, stage, attempt, item, name, kind, artifact, value)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
