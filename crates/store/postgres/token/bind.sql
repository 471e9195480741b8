-- A token is bound once.
UPDATE token SET agent = $2 WHERE id = $1 AND agent IS NULL AND ended_at IS NULL
