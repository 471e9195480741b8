-- Numbers that every transaction raises. Of one row that is written again and again a database keeps each version while somebody's
-- transaction is left open, and who reads it goes through all of them: so a new row takes over every few thousand events (`part`).
CREATE TABLE scope_seq (
    scope    bigint NOT NULL,
    part     bigint NOT NULL,
    -- The last number of the scope's own sequence of events; that of the newest part counts.
    last_seq bigint NOT NULL,
    PRIMARY KEY (scope, part)
) WITH (fillfactor = 50);

INSERT INTO scope_seq (scope, part, last_seq) SELECT id, 0, last_seq FROM scope WHERE last_seq > 0;
ALTER TABLE scope DROP COLUMN last_seq;

-- `tasks` is what a part adds.
ALTER TABLE task_count ADD COLUMN part bigint NOT NULL DEFAULT 0;
ALTER TABLE task_count ALTER COLUMN part DROP DEFAULT;
ALTER TABLE task_count DROP CONSTRAINT task_count_pkey;
ALTER TABLE task_count ADD PRIMARY KEY (queue, state, part);

-- What the time brings has columns of its own, which are null for nearly all: with conditions over `phase` the planner, which has seen an
-- empty index, may go through every task that was ever ready instead.
DROP INDEX task_by_time;
DROP INDEX task_by_deadline;
ALTER TABLE task ADD COLUMN starts_at bigint GENERATED ALWAYS AS (CASE WHEN state = 1 THEN run_at END) STORED,
                 ADD COLUMN ends_by bigint GENERATED ALWAYS AS (CASE WHEN state < 5 THEN deadline END) STORED;
CREATE INDEX task_by_time ON task (starts_at, id) WHERE starts_at IS NOT NULL;
CREATE INDEX task_by_deadline ON task (ends_by, id) WHERE ends_by IS NOT NULL;

-- Servers of a program before would ask for what is gone, and of those that were built in between some keep no attempt where this schema
-- needs it: a page of the version that goes with it (engine/src/journal.rs) has them hand over before they write again.
INSERT INTO journal (seq, server, made_at, steps)
SELECT max(seq) + 1, 'schema/4', floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint, '\x05'::bytea
FROM journal
HAVING max(seq) IS NOT NULL;
