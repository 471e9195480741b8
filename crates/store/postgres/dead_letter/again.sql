-- Its task died again.
UPDATE dead_letter
SET status = 0, fingerprint = $2, category = $3, error = $4, agent = $5, failed_at = $6, attempts = $7, reason = NULL,
    moved_at = $6, blocked = $8
WHERE id = $1 AND status = 1
