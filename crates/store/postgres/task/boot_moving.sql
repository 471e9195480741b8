-- A page of the tasks in one state that is not final.
SELECT id, queue FROM task
WHERE state = $1 AND state <> 5 AND id > $2
ORDER BY id LIMIT $3
