SELECT * FROM run_named WHERE id = ?1
