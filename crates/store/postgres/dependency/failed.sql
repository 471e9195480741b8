SELECT d.depends_on FROM dependency d JOIN task t ON t.id = d.depends_on
WHERE d.task = $1 AND t.state IN (6, 7)
ORDER BY d.depends_on
LIMIT 1
