CREATE TABLE task_count_whole (
    queue INTEGER NOT NULL,
    state INTEGER NOT NULL,
    tasks INTEGER NOT NULL,
    PRIMARY KEY (queue, state)
) STRICT, WITHOUT ROWID;
INSERT INTO task_count_whole (queue, state, tasks) SELECT queue, state, sum(tasks) FROM task_count GROUP BY queue, state;
DROP TABLE task_count;
ALTER TABLE task_count_whole RENAME TO task_count;
ALTER TABLE scope ADD COLUMN last_seq INTEGER NOT NULL DEFAULT 0;
UPDATE scope SET last_seq = coalesce((SELECT max(q.last_seq) FROM scope_seq q WHERE q.scope = scope.id), 0);
DROP TABLE scope_seq;
