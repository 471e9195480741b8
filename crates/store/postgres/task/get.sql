SELECT * FROM task_named WHERE id = $1
