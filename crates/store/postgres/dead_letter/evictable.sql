-- The oldest by when they turned so, then by id (D11).
SELECT id, task, status FROM dead_letter WHERE scope = $1 AND status IN (2, 3) ORDER BY moved_at, id LIMIT $2
