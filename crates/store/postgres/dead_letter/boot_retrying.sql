SELECT task, id FROM dead_letter WHERE status = 1
