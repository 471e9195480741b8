-- How many ended tasks each queue has, by state, kept by whoever ends them: counting them at a start would read every task that ever
-- ended. Those that still move are counted from their own rows.
CREATE TABLE task_count (
    queue INTEGER NOT NULL,
    state INTEGER NOT NULL,
    tasks INTEGER NOT NULL,
    PRIMARY KEY (queue, state)
) STRICT, WITHOUT ROWID;

INSERT INTO task_count (queue, state, tasks)
SELECT queue, state, count(*) FROM task WHERE state IN (5, 6, 7) GROUP BY queue, state;
