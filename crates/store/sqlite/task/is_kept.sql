SELECT count(*) FROM (SELECT 1 FROM task WHERE id = ?1) AS found
