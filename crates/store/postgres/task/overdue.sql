SELECT id FROM task WHERE ends_by IS NOT NULL AND ends_by <= $1 ORDER BY ends_by, id LIMIT $2
