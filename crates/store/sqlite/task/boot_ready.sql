SELECT id, lane, ready_at, priority FROM task WHERE state = 2
