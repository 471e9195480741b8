-- With $2 a bad end counts as an end, as for tasks that run all the same.
SELECT count(*) FROM dependency d JOIN task t ON t.id = d.depends_on
WHERE d.task = $1 AND (t.state < 5 OR (t.state > 5 AND $2::bigint = 0))
