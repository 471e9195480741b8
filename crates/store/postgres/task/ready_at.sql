SELECT ready_at FROM task WHERE id = $1
