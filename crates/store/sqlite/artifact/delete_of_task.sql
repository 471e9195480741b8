DELETE FROM artifact WHERE task = ?1
