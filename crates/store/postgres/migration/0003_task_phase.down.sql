DROP VIEW task_named;
DROP INDEX task_by_phase;
DROP INDEX task_by_time;
DROP INDEX task_by_deadline;
ALTER TABLE task DROP COLUMN phase;
ALTER TABLE task SET (fillfactor = 85);
CREATE INDEX task_by_state ON task (state, id) WHERE state <> 5;
CREATE INDEX task_by_time ON task (run_at, id) WHERE state = 1;
CREATE INDEX task_by_deadline ON task (deadline, id) WHERE deadline IS NOT NULL AND state < 5;
CREATE VIEW task_named AS
SELECT t.id, t.scope, t.queue, t.lane, t.state, t.generation, t.kind, t.title, t.payload, t.priority, t.extras,
       t.created_by, t.ready_at, t.run_at, t.deadline, t.timeout_ms, t.max_attempts, t.used, t.waits_for,
       t.dependencies, t.unique_key, t.unique_for_ms, t.agent, t.instance, t.claim, t.lease_ms, t.started_at,
       t.settled_at, t.outcome, t.result, t.error, t.stop, t.progress, t.message, t.ended_at, t.reason, t.change,
       s.name AS scope_name, q.name AS queue_name, a.name AS agent_name, c.name AS actor_name
FROM task t
JOIN scope s ON s.id = t.scope
JOIN queue q ON q.id = t.queue
LEFT JOIN agent a ON a.id = t.agent
JOIN actor c ON c.id = t.created_by;
