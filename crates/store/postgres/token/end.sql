-- A token ends once.
UPDATE token SET ended_at = $2, revoked = $3 WHERE id = $1 AND ended_at IS NULL
