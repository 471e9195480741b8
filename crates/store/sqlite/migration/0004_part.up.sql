-- As in the shared store, where it matters: a new row takes over every few thousand events (`part`).
CREATE TABLE scope_seq (
    scope    INTEGER NOT NULL,
    part     INTEGER NOT NULL,
    -- The last number of the scope's own sequence of events; that of the newest part counts.
    last_seq INTEGER NOT NULL,
    PRIMARY KEY (scope, part)
) STRICT, WITHOUT ROWID;

INSERT INTO scope_seq (scope, part, last_seq) SELECT id, 0, last_seq FROM scope WHERE last_seq > 0;
ALTER TABLE scope DROP COLUMN last_seq;

-- `tasks` is what a part adds.
CREATE TABLE task_count_of_part (
    queue INTEGER NOT NULL,
    state INTEGER NOT NULL,
    tasks INTEGER NOT NULL,
    part  INTEGER NOT NULL,
    PRIMARY KEY (queue, state, part)
) STRICT, WITHOUT ROWID;
INSERT INTO task_count_of_part (queue, state, tasks, part) SELECT queue, state, tasks, 0 FROM task_count;
DROP TABLE task_count;
ALTER TABLE task_count_of_part RENAME TO task_count;
