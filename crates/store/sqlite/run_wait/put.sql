INSERT INTO run_wait (run, stage, attempt, item, item_attempt, scope, type, subject, seen_seq)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
