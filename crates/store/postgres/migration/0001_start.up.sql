-- The first schema. Times are milliseconds since 1970; keys of things with ids are the 63-bit keys of those ids.
-- Text is compared byte by byte, as SQLite does; JSON is kept as text, and cast where it is looked into. Nothing refers
-- to anything by a constraint: rows are written in an order of their own within a transaction, and the engine checks.

CREATE TABLE meta (
    key   text COLLATE "C" PRIMARY KEY,
    value text COLLATE "C" NOT NULL
);

-- Names that many rows refer to, each written once.
CREATE TABLE actor (
    id   bigint PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE
);

CREATE TABLE scope (
    id          bigint PRIMARY KEY,
    name        text COLLATE "C" NOT NULL UNIQUE,
    description text COLLATE "C" NOT NULL DEFAULT '',
    created_at  bigint NOT NULL,
    deleted_at  bigint,
    -- The last number of the scope's own sequence of events.
    last_seq    bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE queue (
    id       bigint PRIMARY KEY,
    scope    bigint NOT NULL,
    name     text COLLATE "C" NOT NULL,
    settings text COLLATE "C",
    UNIQUE (scope, name)
);

-- Tasks that are alike for the choice of the next one (model/src/lane.rs).
CREATE TABLE lane (
    id    bigint PRIMARY KEY,
    queue bigint NOT NULL,
    terms text COLLATE "C" NOT NULL
);
-- Terms can be longer than an index's entry may be.
CREATE UNIQUE INDEX lane_by_terms ON lane (queue, md5(terms));

CREATE TABLE agent (
    id         bigint PRIMARY KEY,
    name       text COLLATE "C" NOT NULL UNIQUE,
    instance   text COLLATE "C",
    profile    text COLLATE "C",
    draining   smallint NOT NULL DEFAULT 0 CHECK (draining IN (0, 1)),
    created_at bigint NOT NULL,
    last_seen  bigint,
    deleted_at bigint
);

-- Half of a page of `scope` and a part of one of `task` stay empty: a new version of a row finds room beside the old one.
-- States: 0 pending, 1 scheduled, 2 ready, 3 running, 4 waiting, 5 succeeded, 6 dead, 7 cancelled.
-- The current attempt lies in the task's own row (agent … stop); older ones in `attempt`.
CREATE TABLE task (
    id            bigint PRIMARY KEY,
    scope         bigint NOT NULL,
    queue         bigint NOT NULL,
    lane          bigint NOT NULL,
    state         smallint NOT NULL CHECK (state BETWEEN 0 AND 7),
    generation    bigint NOT NULL DEFAULT 0 CHECK (generation >= 0),
    kind          text COLLATE "C" NOT NULL,
    title         text COLLATE "C" NOT NULL,
    payload       text COLLATE "C" NOT NULL,
    priority      smallint NOT NULL CHECK (priority BETWEEN 1 AND 10),
    extras        text COLLATE "C",
    created_by    bigint NOT NULL,
    ready_at      bigint,
    run_at        bigint,
    deadline      bigint,
    timeout_ms    bigint NOT NULL,
    max_attempts  bigint NOT NULL,
    used          bigint NOT NULL DEFAULT 0,
    waits_for     bigint NOT NULL DEFAULT 0 CHECK (waits_for >= 0),
    dependencies  bigint NOT NULL DEFAULT 0,
    unique_key    text COLLATE "C",
    unique_for_ms bigint,
    agent         bigint,
    instance      text COLLATE "C",
    claim         bigint,
    lease_ms      bigint,
    started_at    bigint,
    settled_at    bigint,
    outcome       smallint,
    result        text COLLATE "C",
    error         text COLLATE "C",
    stop          smallint,
    progress      double precision,
    message       text COLLATE "C",
    ended_at      bigint,
    reason        text COLLATE "C",
    change        bigint,
    CHECK (state <> 3 OR (agent IS NOT NULL AND lease_ms IS NOT NULL AND generation > 0 AND outcome IS NULL)),
    CHECK (state <> 0 OR waits_for > 0),
    CHECK (state <> 1 OR run_at IS NOT NULL)
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.5);

-- What still moves, and what people look for. Succeeded tasks are in no index but their own order.
CREATE INDEX task_by_state ON task (state, id) WHERE state <> 5;
CREATE INDEX task_by_time ON task (run_at, id) WHERE state = 1;
CREATE INDEX task_by_deadline ON task (deadline, id) WHERE deadline IS NOT NULL AND state < 5;
CREATE INDEX task_by_stop ON task (id) WHERE stop IN (0, 1);

-- A task with the names of what it refers to, in the order in which store/src/task/row.rs reads it.
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

CREATE TABLE attempt (
    task       bigint NOT NULL,
    generation bigint NOT NULL,
    agent      bigint NOT NULL,
    started_at bigint NOT NULL,
    ended_at   bigint,
    outcome    smallint,
    error      text COLLATE "C",
    result     text COLLATE "C",
    stop       smallint,
    payload    text COLLATE "C",
    PRIMARY KEY (task, generation)
);

CREATE TABLE dependency (
    task       bigint NOT NULL,
    depends_on bigint NOT NULL,
    PRIMARY KEY (task, depends_on)
);
CREATE INDEX dependency_back ON dependency (depends_on, task);

-- Which task holds a unique key; looked up in memory, kept here in order of arrival so that random keys cost nothing.
CREATE TABLE unique_key (
    task  bigint PRIMARY KEY,
    hash  bigint NOT NULL,
    until bigint
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05);

-- Starts of tasks under a rate, by second; only as old as a minute.
CREATE TABLE rate_start (
    scope  bigint NOT NULL,
    key    text COLLATE "C" NOT NULL,
    second bigint NOT NULL,
    starts bigint NOT NULL,
    PRIMARY KEY (scope, key, second)
) WITH (fillfactor = 50);

CREATE TABLE event (
    seq       bigint PRIMARY KEY,
    epoch     bigint NOT NULL,
    scope     bigint NOT NULL,
    scope_seq bigint NOT NULL,
    type      smallint NOT NULL,
    time      bigint NOT NULL,
    actor     bigint NOT NULL,
    request   text COLLATE "C",
    -- The thing: a noun's number and a key, or a name.
    noun      smallint,
    thing     bigint,
    name      text COLLATE "C",
    -- The task it belongs to, where the thing itself is no task.
    task      bigint,
    data      text COLLATE "C" NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.5);

CREATE TABLE audit (
    chain      text COLLATE "C" NOT NULL,
    seq        bigint NOT NULL,
    time       bigint NOT NULL,
    actor      text COLLATE "C" NOT NULL,
    action     text COLLATE "C" NOT NULL,
    target     text COLLATE "C" NOT NULL,
    result     text COLLATE "C" NOT NULL,
    severity   text COLLATE "C" NOT NULL,
    client     text COLLATE "C",
    request_id text COLLATE "C",
    detail     text COLLATE "C" NOT NULL,
    prev_hash  text COLLATE "C" NOT NULL,
    hash       text COLLATE "C" NOT NULL,
    PRIMARY KEY (chain, seq)
);
CREATE INDEX audit_by_time ON audit (time);

-- How many entries there are, kept with each: counting them would read the whole record.
CREATE TABLE audit_count (
    chain    text COLLATE "C" NOT NULL,
    action   text COLLATE "C" NOT NULL,
    entries  bigint NOT NULL,
    first_at bigint NOT NULL,
    last_at  bigint NOT NULL,
    PRIMARY KEY (chain, action)
);

-- `ended_at` is when its end was recorded, whatever the end: revoked, rotated, expired.
CREATE TABLE token (
    id        bigint PRIMARY KEY,
    digest    bytea NOT NULL UNIQUE,
    label     text COLLATE "C" NOT NULL,
    owner     text COLLATE "C" NOT NULL,
    groups    text COLLATE "C" NOT NULL,
    role      text COLLATE "C" NOT NULL,
    scopes    text COLLATE "C" NOT NULL,
    queues    text COLLATE "C",
    agent     text COLLATE "C",
    expires   bigint,
    last_used bigint,
    revoked   bigint,
    ended_at  bigint
);

-- Kinds: 0 a code that gives a sign-in once, 1 a sign-in of a browser. `token` is whose it is; without one it is that of
-- `ADMIN_TOKEN`, which the digest then holds too. A row goes when it ends.
CREATE TABLE sign_in (
    id         bigint PRIMARY KEY,
    digest     bytea NOT NULL UNIQUE,
    kind       smallint NOT NULL CHECK (kind IN (0, 1)),
    token      bigint,
    expires_at bigint NOT NULL
);

-- Answers to requests with an Idempotency-Key, in a window a day.
CREATE TABLE idempotency (
    day    bigint NOT NULL,
    key    bytea NOT NULL,
    body   bytea NOT NULL,
    time   bigint NOT NULL,
    status smallint NOT NULL,
    answer text COLLATE "C" NOT NULL,
    PRIMARY KEY (day, key)
);

CREATE TABLE template (
    scope       bigint NOT NULL,
    name        text COLLATE "C" NOT NULL,
    description text COLLATE "C" NOT NULL,
    task        text COLLATE "C" NOT NULL,
    updated_at  bigint NOT NULL,
    PRIMARY KEY (scope, name)
);

-- Status: 0 pending, 1 retrying, 2 resolved, 3 dismissed, since `moved_at`. The payload is the task's own.
CREATE TABLE dead_letter (
    id               bigint PRIMARY KEY,
    scope            bigint NOT NULL,
    task             bigint NOT NULL UNIQUE,
    status           smallint NOT NULL CHECK (status BETWEEN 0 AND 3),
    fingerprint      text COLLATE "C" NOT NULL,
    kind             text COLLATE "C" NOT NULL,
    category         text COLLATE "C",
    error            text COLLATE "C" NOT NULL,
    agent            bigint,
    failed_at        bigint NOT NULL,
    attempts         bigint NOT NULL,
    retries          bigint NOT NULL DEFAULT 0,
    reason           text COLLATE "C",
    original_payload text COLLATE "C",
    moved_at         bigint NOT NULL
);
CREATE INDEX dead_letter_by_status ON dead_letter (scope, status, id);
CREATE INDEX dead_letter_by_cause ON dead_letter (fingerprint, scope, status, id);
CREATE INDEX dead_letter_by_end ON dead_letter (scope, moved_at, id) WHERE status IN (2, 3);

-- A letter with what people need to know of its task, in the order in which store/src/dead_letter.rs reads it.
CREATE VIEW dead_letter_named AS
SELECT d.id, d.scope, d.task, d.status, d.fingerprint, d.category, d.error, d.failed_at, d.attempts, d.retries, d.reason,
       d.original_payload, s.name AS scope_name, a.name AS agent_name, t.title, q.name AS queue_name, d.kind, t.payload,
       t.priority, t.extras, c.name AS actor_name
FROM dead_letter d
JOIN task t ON t.id = d.task
JOIN scope s ON s.id = d.scope
JOIN queue q ON q.id = t.queue
JOIN actor c ON c.id = t.created_by
LEFT JOIN agent a ON a.id = d.agent;

CREATE TABLE artifact (
    id         bigint PRIMARY KEY,
    scope      bigint NOT NULL,
    sha256     text COLLATE "C" NOT NULL,
    size       bigint NOT NULL CHECK (size >= 0),
    media_type text COLLATE "C" NOT NULL,
    name       text COLLATE "C",
    task       bigint,
    generation bigint,
    CHECK ((task IS NULL) = (generation IS NULL))
);
CREATE INDEX artifact_by_digest ON artifact (sha256);
CREATE INDEX artifact_by_task ON artifact (task) WHERE task IS NOT NULL;

-- `candidate` is what somebody wants it to be, `probe` the task that looks whether it can; `rules` is the file that
-- the target branch has.
CREATE TABLE repository (
    scope      bigint NOT NULL,
    name       text COLLATE "C" NOT NULL,
    url        text COLLATE "C",
    path       text COLLATE "C",
    branch     text COLLATE "C" NOT NULL,
    agent      text COLLATE "C" NOT NULL,
    settings   text COLLATE "C" NOT NULL,
    state      text COLLATE "C" NOT NULL CHECK (state IN ('probing', 'ready', 'unusable')),
    candidate  text COLLATE "C",
    probe      bigint,
    head       text COLLATE "C",
    rules      text COLLATE "C",
    error      text COLLATE "C",
    created_at bigint NOT NULL,
    probed_at  bigint,
    PRIMARY KEY (scope, name),
    CHECK ((url IS NULL) <> (path IS NULL))
);

-- States: 0 open, 1 checking, 2 review, 3 queued, 4 merging, 5 merged, 6 rejected, 7 conflicted, 8 closed.
-- `record` holds what the rules decide by and the page shows, as one document (model/src/change/record.rs).
CREATE TABLE change (
    id         bigint PRIMARY KEY,
    scope      bigint NOT NULL,
    task       bigint NOT NULL,
    repository text COLLATE "C" NOT NULL,
    state      smallint NOT NULL CHECK (state BETWEEN 0 AND 8),
    gate       bigint,
    subject    text COLLATE "C",
    tier       smallint CHECK (tier BETWEEN 1 AND 3),
    record     text COLLATE "C" NOT NULL,
    updated_at bigint NOT NULL
);
CREATE INDEX change_by_state ON change (state, id);
CREATE INDEX change_by_repository ON change (scope, repository, id);
CREATE INDEX change_by_task ON change (task);

-- What each attempt proposed, and each run of the checks, by the task that ran them.
CREATE TABLE change_proposal (
    change     bigint NOT NULL,
    generation bigint NOT NULL,
    record     text COLLATE "C" NOT NULL,
    PRIMARY KEY (change, generation)
);

CREATE TABLE change_check (
    change bigint NOT NULL,
    task   bigint NOT NULL,
    record text COLLATE "C" NOT NULL,
    PRIMARY KEY (change, task)
);

-- `expires_at` is when the clock decides; absent where it never does.
CREATE TABLE gate (
    id         bigint PRIMARY KEY,
    scope      bigint NOT NULL,
    state      text COLLATE "C" NOT NULL,
    subject    text COLLATE "C" NOT NULL,
    change     bigint,
    record     text COLLATE "C" NOT NULL,
    opened_at  bigint NOT NULL,
    expires_at bigint,
    decided_at bigint,
    CHECK ((state = 'open') = (decided_at IS NULL))
);
CREATE INDEX gate_by_state ON gate (state, id);
CREATE INDEX gate_by_change ON gate (change, id) WHERE change IS NOT NULL;
CREATE INDEX gate_by_expiry ON gate (expires_at) WHERE state = 'open' AND expires_at IS NOT NULL;

CREATE TABLE gate_vote (
    gate     bigint NOT NULL,
    seq      bigint NOT NULL,
    identity text COLLATE "C" NOT NULL,
    record   text COLLATE "C" NOT NULL,
    PRIMARY KEY (gate, seq)
);

-- What each transaction did to the memory that every server keeps (docs/decision/0005-replicated-door.md). `seq` is dense.
-- The row is also the mark by which a transaction is known to have happened, when its answer got lost.
CREATE TABLE journal (
    seq     bigint PRIMARY KEY,
    server  text COLLATE "C" NOT NULL,
    made_at bigint NOT NULL,
    steps   bytea NOT NULL
);

-- The servers that share this store: which process, where the others reach it, when it was seen last, and how far it has
-- followed the journal.
CREATE TABLE server (
    name     text COLLATE "C" PRIMARY KEY,
    instance text COLLATE "C" NOT NULL,
    address  text COLLATE "C" NOT NULL,
    seen_at  bigint NOT NULL,
    applied  bigint NOT NULL
) WITH (fillfactor = 50);

-- Who does what only one of them does, and until when.
CREATE TABLE leader (
    duty   text COLLATE "C" PRIMARY KEY,
    server text COLLATE "C" NOT NULL,
    until  bigint NOT NULL
) WITH (fillfactor = 50);
