UPDATE run_call SET state = 1, tries = tries + 1, server = ?6, begun_at = ?7
WHERE run = ?1 AND stage = ?2 AND attempt = ?3 AND item = ?4 AND item_attempt = ?5 AND state = 0
