DELETE FROM artifact WHERE id = ?1
