DELETE FROM task_count WHERE part = ?1
