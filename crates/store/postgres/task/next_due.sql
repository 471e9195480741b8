SELECT min(at) FROM (
    SELECT min(run_at) AS at FROM task WHERE state = 1
    UNION ALL
    SELECT min(deadline) FROM task WHERE deadline IS NOT NULL AND state < 5
) AS next
