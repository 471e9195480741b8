SELECT d.depends_on, count(*)
FROM task t JOIN dependency d ON d.task = t.id
WHERE t.state = 0 AND t.state <> 5
GROUP BY d.depends_on
