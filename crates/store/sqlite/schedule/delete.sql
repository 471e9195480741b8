DELETE FROM schedule WHERE scope = ?1 AND name = ?2
