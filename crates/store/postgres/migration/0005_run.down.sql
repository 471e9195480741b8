DROP VIEW task_named;
DROP VIEW run_named;
DROP INDEX artifact_by_run;
DROP INDEX artifact_loose;
ALTER TABLE artifact DROP COLUMN run;
ALTER TABLE artifact DROP COLUMN output;
DROP INDEX gate_by_run;
DROP INDEX gate_inbox;
DROP INDEX gate_inbox_of_scope;
DROP INDEX gate_by_notice;
ALTER TABLE gate DROP COLUMN run;
ALTER TABLE gate DROP COLUMN stage;
ALTER TABLE gate DROP COLUMN attempt;
ALTER TABLE gate DROP COLUMN item;
ALTER TABLE gate DROP COLUMN item_attempt;
ALTER TABLE gate DROP COLUMN artifact;
ALTER TABLE gate DROP COLUMN origin;
ALTER TABLE gate DROP COLUMN weight;
ALTER TABLE gate DROP COLUMN tell_at;
ALTER TABLE gate_vote DROP COLUMN void_by;
DROP INDEX dead_letter_inbox;
DROP INDEX dead_letter_inbox_of_scope;
ALTER TABLE dead_letter DROP COLUMN blocked;
DROP INDEX event_by_run;
ALTER TABLE event DROP COLUMN run;
DROP INDEX task_by_run;
ALTER TABLE task DROP COLUMN run;
DROP TABLE artifact_ref;
DROP TABLE schedule_start;
DROP TABLE schedule;
DROP TABLE run_call;
DROP TABLE run_wait;
DROP TABLE run_timer;
DROP TABLE run_output;
DROP TABLE stage_attempt;
DROP TABLE run_item;
DROP TABLE stage;
DROP TABLE run_input;
DROP TABLE run;
DROP TABLE pipeline_history;
DROP TABLE pipeline;
DROP TABLE pipeline_version;
CREATE VIEW task_named AS
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
