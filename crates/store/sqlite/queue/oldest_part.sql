-- Of the parts that are written no more; the first one is where they go.
SELECT min(part) FROM task_count WHERE part > 0 AND part < ?1
