UPDATE gate SET state = $2, record = $3, decided_at = $4 WHERE id = $1
