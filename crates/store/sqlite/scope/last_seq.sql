SELECT coalesce((SELECT last_seq FROM scope_seq WHERE scope = ?1 ORDER BY part DESC LIMIT 1), 0)
