-- Many at once: each parameter is a list, one value an entry; those of one queue and state are one row.
INSERT INTO task_count (queue, state, tasks)
SELECT queue, state, sum(tasks)
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS entry (queue, state, tasks)
GROUP BY queue, state
ON CONFLICT (queue, state) DO UPDATE SET tasks = task_count.tasks + excluded.tasks
