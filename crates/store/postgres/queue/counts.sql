SELECT queue, state, sum(tasks)::bigint FROM task_count GROUP BY queue, state
