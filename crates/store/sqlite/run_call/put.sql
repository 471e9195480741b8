INSERT INTO run_call (run, stage, attempt, item, item_attempt, request, state, tries)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
