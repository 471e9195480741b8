-- Many at once: the parameter is a list.
INSERT INTO attempt (task, generation, agent, started_at, ended_at, outcome, error, result, stop)
SELECT id, generation, agent, started_at, settled_at, outcome, error, result, stop
FROM task WHERE id = ANY ($1::bigint[]) AND outcome IS NOT NULL
ON CONFLICT (task, generation) DO UPDATE SET stop = excluded.stop
