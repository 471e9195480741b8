SELECT p.generation, a.name, p.started_at, p.ended_at, p.outcome, p.error, p.result, p.stop, p.payload
FROM attempt p JOIN agent a ON a.id = p.agent
WHERE p.task = $1
UNION ALL
SELECT t.generation, a.name, t.started_at, t.settled_at, t.outcome, t.error, t.result, t.stop, NULL::text
FROM task t JOIN agent a ON a.id = t.agent
WHERE t.id = $1 AND t.started_at IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM attempt p WHERE p.task = t.id AND p.generation = t.generation)
ORDER BY 1
