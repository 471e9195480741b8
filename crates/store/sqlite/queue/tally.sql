INSERT INTO task_count (queue, state, part, tasks) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (queue, state, part) DO UPDATE SET tasks = task_count.tasks + excluded.tasks
