-- What moves of a run, by the index of its tasks.
SELECT id, state FROM task WHERE run = ?1 AND state < 5 ORDER BY id LIMIT ?2
