-- Its task runs again; the first payload is kept, whatever is edited after it.
UPDATE dead_letter
SET status = 1, retries = retries + 1, reason = NULL, original_payload = coalesce(original_payload, $2), moved_at = $3
WHERE id = $1 AND status IN (0, 3)
