DELETE FROM unique_key WHERE task = ?1
