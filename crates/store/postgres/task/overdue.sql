SELECT id FROM task WHERE deadline IS NOT NULL AND phase < 5 AND deadline <= $1 ORDER BY deadline, id LIMIT $2
