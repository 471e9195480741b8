UPDATE run_item
SET thing = ?6
WHERE run = ?1 AND stage = ?2 AND attempt = ?3 AND item = ?4 AND tries = ?5 AND state IN (1, 2, 3) AND thing IS NULL
