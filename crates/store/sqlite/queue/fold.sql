INSERT INTO task_count (queue, state, part, tasks)
SELECT queue, state, 0, tasks FROM task_count WHERE part = ?1
ON CONFLICT (queue, state, part) DO UPDATE SET tasks = task_count.tasks + excluded.tasks
