INSERT INTO run_timer (run, stage, attempt, item, item_attempt, what, due_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (run, stage, attempt, item, item_attempt, what) DO UPDATE SET due_at = excluded.due_at
