UPDATE gate SET state = ?2, record = ?3, decided_at = ?4, subject = ?5, artifact = ?6, tell_at = ?7 WHERE id = ?1
