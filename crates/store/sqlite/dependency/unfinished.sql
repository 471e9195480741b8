SELECT count(*) FROM dependency d JOIN task t ON t.id = d.depends_on WHERE d.task = ?1 AND t.state <> 5
