SELECT count(*) FROM (SELECT 1 FROM dead_letter INDEXED BY dead_letter_inbox WHERE status = 0 LIMIT ?1)
