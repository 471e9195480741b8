SELECT count(*) FROM (SELECT 1 FROM dead_letter WHERE status = 0 LIMIT $1) AS found
