-- A page. `phase <> 5` repeats the condition of the index, so that it is used.
SELECT id, lane, ready_at, priority, queue FROM task
WHERE state = 2 AND phase = 2 AND phase <> 5 AND id > $1
ORDER BY id LIMIT $2
