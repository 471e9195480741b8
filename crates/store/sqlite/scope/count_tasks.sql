SELECT count(*) FROM (SELECT 1 FROM task WHERE scope = ?1 LIMIT 1)
