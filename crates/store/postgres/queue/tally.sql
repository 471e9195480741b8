-- Many at once: each parameter is a list, one value an entry; those of one queue and state are one row.
INSERT INTO task_count (queue, state, part, tasks)
SELECT queue, state, part, sum(tasks)
FROM (SELECT unnest($1::bigint[]) AS queue, unnest($2::bigint[]) AS state, unnest($3::bigint[]) AS part,
             unnest($4::bigint[]) AS tasks) AS entry
GROUP BY queue, state, part
ON CONFLICT (queue, state, part) DO UPDATE SET tasks = task_count.tasks + excluded.tasks
