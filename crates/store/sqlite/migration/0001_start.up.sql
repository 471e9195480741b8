-- The first schema. Times are milliseconds since 1970; keys of things with ids are the 63-bit keys of those ids.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Names that many rows refer to, each written once.
CREATE TABLE actor (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE scope (
    id          INTEGER PRIMARY KEY,
    name        TEXT    NOT NULL UNIQUE,
    description TEXT    NOT NULL DEFAULT '',
    created_at  INTEGER NOT NULL,
    deleted_at  INTEGER,
    -- The last number of the scope's own sequence of events.
    last_seq    INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE queue (
    id       INTEGER PRIMARY KEY,
    scope    INTEGER NOT NULL REFERENCES scope (id),
    name     TEXT    NOT NULL,
    settings TEXT,
    UNIQUE (scope, name)
) STRICT;

-- Tasks that are alike for the choice of the next one (model/src/lane.rs).
CREATE TABLE lane (
    id    INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL REFERENCES queue (id),
    terms TEXT    NOT NULL,
    UNIQUE (queue, terms)
) STRICT;

CREATE TABLE agent (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    instance   TEXT,
    profile    TEXT,
    draining   INTEGER NOT NULL DEFAULT 0 CHECK (draining IN (0, 1)),
    created_at INTEGER NOT NULL,
    last_seen  INTEGER,
    deleted_at INTEGER
) STRICT;

-- States: 0 pending, 1 scheduled, 2 ready, 3 running, 4 waiting, 5 succeeded, 6 dead, 7 cancelled.
-- The current attempt lies in the task's own row (agent … stop); older ones in `attempt`.
CREATE TABLE task (
    id            INTEGER PRIMARY KEY,
    scope         INTEGER NOT NULL,
    queue         INTEGER NOT NULL,
    lane          INTEGER NOT NULL,
    state         INTEGER NOT NULL CHECK (state BETWEEN 0 AND 7),
    generation    INTEGER NOT NULL DEFAULT 0 CHECK (generation >= 0),
    kind          TEXT    NOT NULL,
    title         TEXT    NOT NULL,
    payload       TEXT    NOT NULL,
    priority      INTEGER NOT NULL CHECK (priority BETWEEN 1 AND 10),
    extras        TEXT,
    created_by    INTEGER NOT NULL,
    ready_at      INTEGER,
    run_at        INTEGER,
    deadline      INTEGER,
    timeout_ms    INTEGER NOT NULL,
    max_attempts  INTEGER NOT NULL,
    used          INTEGER NOT NULL DEFAULT 0,
    waits_for     INTEGER NOT NULL DEFAULT 0 CHECK (waits_for >= 0),
    dependencies  INTEGER NOT NULL DEFAULT 0,
    unique_key    TEXT,
    unique_for_ms INTEGER,
    agent         INTEGER,
    instance      TEXT,
    claim         INTEGER,
    lease_ms      INTEGER,
    started_at    INTEGER,
    settled_at    INTEGER,
    outcome       INTEGER,
    result        TEXT,
    error         TEXT,
    stop          INTEGER,
    progress      REAL,
    message       TEXT,
    ended_at      INTEGER,
    reason        TEXT,
    change        INTEGER,
    CHECK (state <> 3 OR (agent IS NOT NULL AND lease_ms IS NOT NULL AND generation > 0 AND outcome IS NULL)),
    CHECK (state <> 0 OR waits_for > 0),
    CHECK (state <> 1 OR run_at IS NOT NULL)
) STRICT;

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
    task       INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    agent      INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    outcome    INTEGER,
    error      TEXT,
    result     TEXT,
    stop       INTEGER,
    payload    TEXT,
    PRIMARY KEY (task, generation)
) STRICT, WITHOUT ROWID;

CREATE TABLE dependency (
    task       INTEGER NOT NULL,
    depends_on INTEGER NOT NULL,
    PRIMARY KEY (task, depends_on)
) STRICT, WITHOUT ROWID;
CREATE INDEX dependency_back ON dependency (depends_on, task);

-- Which task holds a unique key; looked up in memory, kept here in order of arrival so that random keys cost nothing.
CREATE TABLE unique_key (
    task  INTEGER PRIMARY KEY,
    hash  INTEGER NOT NULL,
    until INTEGER
) STRICT;

-- Starts of tasks under a rate, by second; only as old as a minute.
CREATE TABLE rate_start (
    scope  INTEGER NOT NULL,
    key    TEXT    NOT NULL,
    second INTEGER NOT NULL,
    starts INTEGER NOT NULL,
    PRIMARY KEY (scope, key, second)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    seq       INTEGER PRIMARY KEY,
    epoch     INTEGER NOT NULL,
    scope     INTEGER NOT NULL,
    scope_seq INTEGER NOT NULL,
    type      INTEGER NOT NULL,
    time      INTEGER NOT NULL,
    actor     INTEGER NOT NULL,
    request   TEXT,
    -- The thing: a noun's number and a key, or a name.
    noun      INTEGER,
    thing     INTEGER,
    name      TEXT,
    -- The task it belongs to, where the thing itself is no task.
    task      INTEGER,
    data      TEXT    NOT NULL
) STRICT;

CREATE TABLE audit (
    chain      TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    time       INTEGER NOT NULL,
    actor      TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    target     TEXT    NOT NULL,
    result     TEXT    NOT NULL,
    severity   TEXT    NOT NULL,
    client     TEXT,
    request_id TEXT,
    detail     TEXT    NOT NULL,
    prev_hash  TEXT    NOT NULL,
    hash       TEXT    NOT NULL,
    PRIMARY KEY (chain, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_by_time ON audit (time);

-- How many entries there are, kept with each: counting them would read the whole record.
CREATE TABLE audit_count (
    chain    TEXT    NOT NULL,
    action   TEXT    NOT NULL,
    entries  INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    PRIMARY KEY (chain, action)
) STRICT, WITHOUT ROWID;

-- `ended_at` is when its end was recorded, whatever the end: revoked, rotated, expired.
CREATE TABLE token (
    id        INTEGER PRIMARY KEY,
    digest    BLOB    NOT NULL UNIQUE,
    label     TEXT    NOT NULL,
    owner     TEXT    NOT NULL,
    groups    TEXT    NOT NULL,
    role      TEXT    NOT NULL,
    scopes    TEXT    NOT NULL,
    queues    TEXT,
    agent     TEXT,
    expires   INTEGER,
    last_used INTEGER,
    revoked   INTEGER,
    ended_at  INTEGER
) STRICT;

-- Kinds: 0 a code that gives a sign-in once, 1 a sign-in of a browser. `token` is whose it is; without one it is that of
-- `ADMIN_TOKEN`, which the digest then holds too. A row goes when it ends.
CREATE TABLE sign_in (
    id         INTEGER PRIMARY KEY,
    digest     BLOB    NOT NULL UNIQUE,
    kind       INTEGER NOT NULL CHECK (kind IN (0, 1)),
    token      INTEGER REFERENCES token (id),
    expires_at INTEGER NOT NULL
) STRICT;

-- Answers to requests with an Idempotency-Key, in a window a day.
CREATE TABLE idempotency (
    day    INTEGER NOT NULL,
    key    BLOB    NOT NULL,
    body   BLOB    NOT NULL,
    time   INTEGER NOT NULL,
    status INTEGER NOT NULL,
    answer TEXT    NOT NULL,
    PRIMARY KEY (day, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE template (
    scope       INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    task        TEXT    NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (scope, name)
) STRICT, WITHOUT ROWID;

-- Status: 0 pending, 1 retrying, 2 resolved, 3 dismissed, since `moved_at`. The payload is the task's own.
CREATE TABLE dead_letter (
    id               INTEGER PRIMARY KEY,
    scope            INTEGER NOT NULL,
    task             INTEGER NOT NULL UNIQUE,
    status           INTEGER NOT NULL CHECK (status BETWEEN 0 AND 3),
    fingerprint      TEXT    NOT NULL,
    kind             TEXT    NOT NULL,
    category         TEXT,
    error            TEXT    NOT NULL,
    agent            INTEGER,
    failed_at        INTEGER NOT NULL,
    attempts         INTEGER NOT NULL,
    retries          INTEGER NOT NULL DEFAULT 0,
    reason           TEXT,
    original_payload TEXT,
    moved_at         INTEGER NOT NULL
) STRICT;
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
    id         INTEGER PRIMARY KEY,
    scope      INTEGER NOT NULL,
    sha256     TEXT    NOT NULL,
    size       INTEGER NOT NULL CHECK (size >= 0),
    media_type TEXT    NOT NULL,
    name       TEXT,
    task       INTEGER,
    generation INTEGER,
    CHECK ((task IS NULL) = (generation IS NULL))
) STRICT;
CREATE INDEX artifact_by_digest ON artifact (sha256);
CREATE INDEX artifact_by_task ON artifact (task) WHERE task IS NOT NULL;

-- `candidate` is what somebody wants it to be, `probe` the task that looks whether it can; `rules` is the file that
-- the target branch has.
CREATE TABLE repository (
    scope      INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    url        TEXT,
    path       TEXT,
    branch     TEXT    NOT NULL,
    agent      TEXT    NOT NULL,
    settings   TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('probing', 'ready', 'unusable')),
    candidate  TEXT,
    probe      INTEGER,
    head       TEXT,
    rules      TEXT,
    error      TEXT,
    created_at INTEGER NOT NULL,
    probed_at  INTEGER,
    PRIMARY KEY (scope, name),
    CHECK ((url IS NULL) <> (path IS NULL))
) STRICT, WITHOUT ROWID;

-- States: 0 open, 1 checking, 2 review, 3 queued, 4 merging, 5 merged, 6 rejected, 7 conflicted, 8 closed.
-- `record` holds what the rules decide by and the page shows, as one document (model/src/change/record.rs).
CREATE TABLE change (
    id         INTEGER PRIMARY KEY,
    scope      INTEGER NOT NULL,
    task       INTEGER NOT NULL,
    repository TEXT    NOT NULL,
    state      INTEGER NOT NULL CHECK (state BETWEEN 0 AND 8),
    gate       INTEGER,
    subject    TEXT,
    tier       INTEGER CHECK (tier BETWEEN 1 AND 3),
    record     TEXT    NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX change_by_state ON change (state, id);
CREATE INDEX change_by_repository ON change (scope, repository, id);
CREATE INDEX change_by_task ON change (task);

-- What each attempt proposed, and each run of the checks, by the task that ran them.
CREATE TABLE change_proposal (
    change     INTEGER NOT NULL REFERENCES change (id),
    generation INTEGER NOT NULL,
    record     TEXT    NOT NULL,
    PRIMARY KEY (change, generation)
) STRICT, WITHOUT ROWID;

CREATE TABLE change_check (
    change INTEGER NOT NULL REFERENCES change (id),
    task   INTEGER NOT NULL,
    record TEXT    NOT NULL,
    PRIMARY KEY (change, task)
) STRICT, WITHOUT ROWID;

-- `expires_at` is when the clock decides; absent where it never does.
CREATE TABLE gate (
    id         INTEGER PRIMARY KEY,
    scope      INTEGER NOT NULL,
    state      TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    change     INTEGER,
    record     TEXT    NOT NULL,
    opened_at  INTEGER NOT NULL,
    expires_at INTEGER,
    decided_at INTEGER,
    CHECK ((state = 'open') = (decided_at IS NULL))
) STRICT;
CREATE INDEX gate_by_state ON gate (state, id);
CREATE INDEX gate_by_change ON gate (change, id) WHERE change IS NOT NULL;
CREATE INDEX gate_by_expiry ON gate (expires_at) WHERE state = 'open' AND expires_at IS NOT NULL;

CREATE TABLE gate_vote (
    gate     INTEGER NOT NULL REFERENCES gate (id),
    seq      INTEGER NOT NULL,
    identity TEXT    NOT NULL,
    record   TEXT    NOT NULL,
    PRIMARY KEY (gate, seq)
) STRICT, WITHOUT ROWID;
