UPDATE stage
SET thing = ?4, began_at = ?5
WHERE run = ?1 AND stage = ?2 AND attempt = ?3 AND state = 1 AND thing IS NULL
