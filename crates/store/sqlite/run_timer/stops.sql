-- What is awaited to stop, of these runs.
SELECT run, stage, attempt, item, item_attempt, what, due_at
FROM run_timer WHERE run IN (SELECT value FROM json_each(?1)) AND what = 3
ORDER BY run, stage, attempt, item, item_attempt
