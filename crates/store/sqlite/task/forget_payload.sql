UPDATE task SET payload = '{}' WHERE id = ?1
