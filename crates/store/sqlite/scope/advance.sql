UPDATE scope SET last_seq = ?2 WHERE id = ?1
