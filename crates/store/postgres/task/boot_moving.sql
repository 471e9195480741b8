-- A page of the tasks in one state that is not final.
SELECT id, queue FROM task
WHERE phase = CASE WHEN $1 = 3 THEN 2 ELSE $1 END AND phase <> 5 AND state = $1 AND id > $2
ORDER BY id LIMIT $3
