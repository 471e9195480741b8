-- Those of one attempt that are under way.
UPDATE run_item SET state = 7, rest = NULL
WHERE run = ?1 AND stage = ?2 AND attempt = ?3 AND state IN (1, 2, 3)
