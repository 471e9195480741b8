INSERT INTO task_count (queue, state, tasks) VALUES (?1, ?2, ?3)
ON CONFLICT (queue, state) DO UPDATE SET tasks = task_count.tasks + excluded.tasks
