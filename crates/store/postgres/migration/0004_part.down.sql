DROP INDEX task_by_time;
DROP INDEX task_by_deadline;
ALTER TABLE task DROP COLUMN starts_at, DROP COLUMN ends_by;
CREATE INDEX task_by_time ON task (run_at, id) WHERE phase = 1;
CREATE INDEX task_by_deadline ON task (deadline, id) WHERE deadline IS NOT NULL AND phase < 5;
CREATE TABLE task_count_whole AS SELECT queue, state, sum(tasks)::bigint AS tasks FROM task_count GROUP BY queue, state;
DROP TABLE task_count;
CREATE TABLE task_count (
    queue bigint NOT NULL,
    state bigint NOT NULL,
    tasks bigint NOT NULL,
    PRIMARY KEY (queue, state)
) WITH (fillfactor = 50);
INSERT INTO task_count (queue, state, tasks) SELECT queue, state, tasks FROM task_count_whole;
DROP TABLE task_count_whole;
ALTER TABLE scope ADD COLUMN last_seq bigint NOT NULL DEFAULT 0;
UPDATE scope SET last_seq = coalesce((SELECT max(q.last_seq) FROM scope_seq q WHERE q.scope = scope.id), 0);
DROP TABLE scope_seq;
