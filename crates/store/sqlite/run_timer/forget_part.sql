-- A stop that is awaited goes on.
DELETE FROM run_timer
WHERE run = ?1 AND stage = ?2 AND attempt = ?3 AND item = ?4 AND item_attempt = ?5 AND what < 3
