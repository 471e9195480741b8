SELECT queue, state, sum(tasks) FROM task_count GROUP BY queue, state
