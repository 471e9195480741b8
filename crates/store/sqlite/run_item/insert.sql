-- What is there stays: a list that was cut off is written again.
INSERT INTO run_item (run, stage, attempt, item, value, state, tries)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (run, stage, attempt, item) DO NOTHING
