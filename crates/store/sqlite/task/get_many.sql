SELECT * FROM task_named WHERE id IN (SELECT value FROM json_each(?1))
