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
