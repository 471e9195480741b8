-- The last try of a task that may be taken again is kept when it ends, no longer when the next one begins.
INSERT INTO attempt (task, generation, agent, started_at, ended_at, outcome, error, result, stop)
SELECT id, generation, agent, started_at, settled_at, outcome, error, result, stop
FROM task WHERE state < 5 AND outcome IS NOT NULL
ON CONFLICT (task, generation) DO UPDATE SET stop = excluded.stop;

-- What lists are kept by. A start does not change it, and so it changes no index: ready and running are one. Where there is room in
-- the page, such a move costs a new row in the same page and nothing else.
ALTER TABLE task ADD COLUMN phase smallint NOT NULL GENERATED ALWAYS AS (CASE WHEN state = 3 THEN 2 ELSE state END) STORED;
ALTER TABLE task SET (fillfactor = 60);

DROP INDEX task_by_state;
DROP INDEX task_by_time;
DROP INDEX task_by_deadline;
CREATE INDEX task_by_phase ON task (phase, id) WHERE phase <> 5;
CREATE INDEX task_by_time ON task (run_at, id) WHERE phase = 1;
CREATE INDEX task_by_deadline ON task (deadline, id) WHERE deadline IS NOT NULL AND phase < 5;

CREATE OR REPLACE VIEW task_named AS
SELECT t.id, t.scope, t.queue, t.lane, t.state, t.generation, t.kind, t.title, t.payload, t.priority, t.extras,
       t.created_by, t.ready_at, t.run_at, t.deadline, t.timeout_ms, t.max_attempts, t.used, t.waits_for,
       t.dependencies, t.unique_key, t.unique_for_ms, t.agent, t.instance, t.claim, t.lease_ms, t.started_at,
       t.settled_at, t.outcome, t.result, t.error, t.stop, t.progress, t.message, t.ended_at, t.reason, t.change,
       s.name AS scope_name, q.name AS queue_name, a.name AS agent_name, c.name AS actor_name, t.phase
FROM task t
JOIN scope s ON s.id = t.scope
JOIN queue q ON q.id = t.queue
LEFT JOIN agent a ON a.id = t.agent
JOIN actor c ON c.id = t.created_by;
