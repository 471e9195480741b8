UPDATE task SET lane = ?2 WHERE id = ?1
