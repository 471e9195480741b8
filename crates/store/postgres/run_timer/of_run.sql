SELECT run, stage, attempt, item, item_attempt, what, due_at
FROM run_timer WHERE run = $1
ORDER BY stage, attempt, item, item_attempt, what
LIMIT $2
