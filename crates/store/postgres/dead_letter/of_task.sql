SELECT id, status FROM dead_letter WHERE task = $1
