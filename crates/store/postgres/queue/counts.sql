SELECT queue, state, count(*) FROM task GROUP BY queue, state
