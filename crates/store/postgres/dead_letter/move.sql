UPDATE dead_letter SET status = $3, reason = $4, moved_at = $5 WHERE id = $1 AND status = $2
