INSERT INTO attempt (task, generation, agent, started_at, ended_at, outcome, error, result, stop)
SELECT id, generation, agent, started_at, settled_at, outcome, error, result, stop
FROM task WHERE id = ?1 AND outcome IS NOT NULL
ON CONFLICT (task, generation) DO UPDATE SET stop = excluded.stop
