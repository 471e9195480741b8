-- Only from the state and the try that the caller knows. Another try begins without a thing.
UPDATE run_item
SET state = ?7, tries = ?8, rest = ?9, thing = CASE WHEN tries = ?8 THEN thing END, result = ?10, error = ?11
WHERE run = ?1 AND stage = ?2 AND attempt = ?3 AND item = ?4 AND state = ?5 AND tries = ?6
