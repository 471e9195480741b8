-- Whoever comes second finds another `last_at`: a slot is dealt with once.
UPDATE schedule SET last_at = ?5, next_at = ?6, last = ?7
WHERE scope = ?1 AND name = ?2 AND revision = ?3 AND last_at = ?4 AND paused = 0
