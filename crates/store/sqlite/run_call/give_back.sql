-- Nobody makes it any more: whoever took it is gone.
UPDATE run_call SET state = 0, server = NULL, begun_at = NULL
WHERE run = ?1 AND stage = ?2 AND attempt = ?3 AND item = ?4 AND item_attempt = ?5 AND state = 1 AND server = ?6
