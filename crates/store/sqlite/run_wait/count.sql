SELECT count(*) FROM (SELECT 1 FROM run_wait LIMIT ?1) AS found
