UPDATE run_wait
SET seen_seq = ?6
WHERE run = ?1 AND stage = ?2 AND attempt = ?3 AND item = ?4 AND item_attempt = ?5
