-- A page, behind the task and dependency that the last one ended with.
SELECT t.id, d.depends_on
FROM task t JOIN dependency d ON d.task = t.id
WHERE t.phase = 0 AND t.phase <> 5 AND t.id >= $1 AND (t.id > $1 OR d.depends_on > $2)
ORDER BY t.id, d.depends_on LIMIT $3
