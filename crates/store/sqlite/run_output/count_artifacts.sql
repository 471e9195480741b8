SELECT count(*) FROM (SELECT 1 FROM run_output WHERE run = ?1 AND artifact IS NOT NULL LIMIT ?2)
