SELECT run, stage, attempt, item, item_attempt, what, due_at
FROM run_timer WHERE due_at <= ?1
ORDER BY due_at
LIMIT ?2
