SELECT count(*) FROM (SELECT 1 FROM artifact WHERE sha256 = ?1 LIMIT 1) AS found
