SELECT d.depends_on, count(*)
FROM task t JOIN dependency d ON d.task = t.id
WHERE t.state = 0
GROUP BY d.depends_on
