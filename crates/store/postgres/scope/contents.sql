-- Runs are counted up to a thousand.
SELECT (SELECT count(*) FROM template WHERE scope = $1), (SELECT count(*) FROM repository WHERE scope = $1),
       (SELECT count(*) FROM dead_letter WHERE scope = $1),
       (SELECT count(*) FROM pipeline WHERE scope = $1 AND deleted_at IS NULL),
       (SELECT count(*) FROM schedule WHERE scope = $1),
       (SELECT count(*) FROM (SELECT 1 FROM run WHERE scope = $1 LIMIT 1000) AS found)
