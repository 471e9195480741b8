SELECT count(*) FROM (SELECT 1 FROM dead_letter INDEXED BY dead_letter_inbox_of_scope WHERE scope = ?2 AND status = 0 LIMIT ?1)
