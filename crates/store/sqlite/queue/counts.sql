SELECT queue, state, tasks FROM task_count
