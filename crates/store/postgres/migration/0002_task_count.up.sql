-- How many ended tasks each queue has, by state, kept by whoever ends them: counting them at a start would read every task that ever
-- ended. Those that still move are counted from their own rows.
CREATE TABLE task_count (
    queue bigint NOT NULL,
    state bigint NOT NULL,
    tasks bigint NOT NULL,
    PRIMARY KEY (queue, state)
) WITH (fillfactor = 50);

INSERT INTO task_count (queue, state, tasks)
SELECT queue, state, count(*) FROM task WHERE state IN (5, 6, 7) GROUP BY queue, state;

-- Servers of an older program would end tasks and count nothing: a page of the version that counts (engine/src/journal.rs) has them
-- hand over before they write again. Where nobody has ever written, nobody is there.
INSERT INTO journal (seq, server, made_at, steps)
SELECT max(seq) + 1, 'schema/2', floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint, '\x04'::bytea
FROM journal
HAVING max(seq) IS NOT NULL;
