-- Pipelines, runs and schedules (docs/decision/0007-pipelines.md, 0008-runs.md). Times are milliseconds, what is JSON says so or has no columns of its own.
-- Definitions by their content; what a name was published with, and what it is now.
CREATE TABLE pipeline_version (
    id         INTEGER PRIMARY KEY,
    scope      INTEGER NOT NULL,
    -- Of the canonical form.
    sha256     TEXT NOT NULL,
    -- As it was sent.
    source     TEXT NOT NULL,
    canonical  TEXT NOT NULL,
    -- Its stages in order and what needs what: what a run is advanced by, so that no program reads the definition again for it.
    graph      TEXT NOT NULL,
    stages     INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX pipeline_version_by_content ON pipeline_version (scope, sha256);

CREATE TABLE pipeline (
    scope        INTEGER NOT NULL,
    name         TEXT NOT NULL,
    version      INTEGER NOT NULL,
    number       INTEGER NOT NULL,
    published_at INTEGER NOT NULL,
    published_by INTEGER NOT NULL,
    deleted_at   INTEGER,
    PRIMARY KEY (scope, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX pipeline_by_version ON pipeline (version);

CREATE TABLE pipeline_history (
    scope        INTEGER NOT NULL,
    name         TEXT NOT NULL,
    number       INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    published_at INTEGER NOT NULL,
    published_by INTEGER NOT NULL,
    PRIMARY KEY (scope, name, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX pipeline_history_by_version ON pipeline_history (version);

-- States: 0 queued, 1 running, 2 waiting, 3 succeeded, 4 failed, 5 cancelled.
CREATE TABLE run (
    id                  INTEGER PRIMARY KEY,
    scope               INTEGER NOT NULL,
    state               INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5),
    version             INTEGER NOT NULL,
    -- The name it was started by, and the number that the name had then.
    pipeline            TEXT,
    number              INTEGER,
    title               TEXT,
    schedule            TEXT,
    slot_at             INTEGER,
    slot_revision       INTEGER,
    -- The part of another run that it is.
    parent              INTEGER,
    parent_stage        INTEGER,
    parent_attempt      INTEGER,
    parent_item         INTEGER,
    parent_item_attempt INTEGER,
    root                INTEGER NOT NULL,
    depth               INTEGER NOT NULL,
    reruns              INTEGER NOT NULL,
    stops_asked         INTEGER NOT NULL,
    stops_stopped       INTEGER NOT NULL,
    stops_unconfirmed   INTEGER NOT NULL,
    -- The last event before it: a wait for an event is met by what came after.
    began_seq           INTEGER NOT NULL,
    started_by          INTEGER NOT NULL,
    submitter           TEXT,
    -- The versions of the pipelines that its stages name (JSON).
    pins                TEXT,
    created_at          INTEGER NOT NULL,
    begun_at            INTEGER,
    ended_at            INTEGER,
    error               TEXT,
    -- As of its last change of state: five numbers (store/src/run/row.rs).
    progress            TEXT,
    CHECK ((parent IS NULL) = (parent_stage IS NULL)),
    CHECK ((schedule IS NULL) = (slot_at IS NULL))
) STRICT;
CREATE INDEX run_by_scope ON run (scope, id);
CREATE INDEX run_by_state ON run (state, id) WHERE state < 3;
-- What moves, and what has ended and is still stopping.
CREATE INDEX run_live ON run (id) WHERE state < 3 OR stops_asked > stops_stopped + stops_unconfirmed;
CREATE INDEX run_by_version ON run (version);
CREATE INDEX run_by_pipeline ON run (scope, pipeline, id) WHERE pipeline IS NOT NULL;
CREATE INDEX run_by_parent ON run (parent) WHERE parent IS NOT NULL;
CREATE INDEX run_by_schedule ON run (scope, schedule, id) WHERE schedule IS NOT NULL;
-- At most one run a slot.
CREATE UNIQUE INDEX run_by_slot ON run (scope, schedule, slot_revision, slot_at) WHERE schedule IS NOT NULL;

-- A run with the names of what it refers to, in the order in which store/src/run/row.rs reads it.
CREATE VIEW run_named AS
SELECT r.id, r.scope, r.state, r.version, r.pipeline, r.number, r.title, r.schedule, r.slot_at, r.slot_revision,
       r.parent, r.parent_stage, r.parent_attempt, r.parent_item, r.parent_item_attempt, r.root, r.depth, r.reruns,
       r.stops_asked, r.stops_stopped, r.stops_unconfirmed, r.began_seq, r.started_by, r.submitter, r.pins,
       r.created_at, r.begun_at, r.ended_at, r.error, r.progress, s.name AS scope_name, a.name AS actor_name
FROM run r
JOIN scope s ON s.id = r.scope
JOIN actor a ON a.id = r.started_by;

CREATE TABLE run_input (
    run   INTEGER PRIMARY KEY,
    input TEXT NOT NULL
) STRICT;

-- `thing` is what carries it out: the key of its task, gate or run; null while it is still to begin. No index here is about what moves.
CREATE TABLE stage (
    run              INTEGER NOT NULL,
    stage            INTEGER NOT NULL,
    state            INTEGER NOT NULL,
    attempt          INTEGER NOT NULL,
    failures         INTEGER NOT NULL,
    why              TEXT,
    -- The gate that sent the run back here, and its attempt and round.
    feedback_gate    INTEGER,
    feedback_attempt INTEGER,
    feedback_round   INTEGER,
    sent_back        INTEGER NOT NULL,
    past             INTEGER,
    thing            INTEGER,
    began_at         INTEGER,
    tally            TEXT,
    PRIMARY KEY (run, stage)
) STRICT, WITHOUT ROWID;

-- States: 0 not begun, 1 ready, 2 running, 3 waiting, 4 succeeded, 5 failed, 6 skipped, 7 cancelled.
CREATE TABLE run_item (
    run     INTEGER NOT NULL,
    stage   INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    item    INTEGER NOT NULL,
    value   TEXT NOT NULL,
    state   INTEGER NOT NULL,
    tries   INTEGER NOT NULL,
    rest    INTEGER,
    thing   INTEGER,
    result  TEXT,
    error   TEXT,
    PRIMARY KEY (run, stage, attempt, item)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_item_open ON run_item (run, stage, item) WHERE state IN (1, 2, 3);

CREATE TABLE stage_attempt (
    run      INTEGER NOT NULL,
    stage    INTEGER NOT NULL,
    attempt  INTEGER NOT NULL,
    uses     INTEGER NOT NULL,
    thing    INTEGER,
    state    INTEGER NOT NULL,
    why      TEXT,
    error    TEXT,
    context  TEXT,
    began_at INTEGER NOT NULL,
    ended_at INTEGER,
    PRIMARY KEY (run, stage, attempt)
) STRICT, WITHOUT ROWID;

-- `item` is -1 where the stage itself made it.
CREATE TABLE run_output (
    run      INTEGER NOT NULL,
    stage    INTEGER NOT NULL,
    attempt  INTEGER NOT NULL,
    item     INTEGER NOT NULL,
    name     TEXT NOT NULL,
    kind     INTEGER NOT NULL,
    artifact INTEGER,
    -- A document of up to 16 KiB lies here too.
    value    TEXT,
    PRIMARY KEY (run, stage, attempt, item, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_output_by_artifact ON run_output (artifact) WHERE artifact IS NOT NULL;

-- `what`: 0 the end of a wait, 1 another try, 2 the end of its time, 3 the end of the time to stop. `item` is -1 where the stage itself is meant.
CREATE TABLE run_timer (
    run          INTEGER NOT NULL,
    stage        INTEGER NOT NULL,
    attempt      INTEGER NOT NULL,
    item         INTEGER NOT NULL,
    item_attempt INTEGER NOT NULL,
    what         INTEGER NOT NULL,
    due_at       INTEGER NOT NULL,
    PRIMARY KEY (run, stage, attempt, item, item_attempt, what)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_timer_due ON run_timer (due_at);

-- Waits for an event: the last one that has been looked at.
CREATE TABLE run_wait (
    run          INTEGER NOT NULL,
    stage        INTEGER NOT NULL,
    attempt      INTEGER NOT NULL,
    item         INTEGER NOT NULL,
    item_attempt INTEGER NOT NULL,
    scope        INTEGER NOT NULL,
    type         INTEGER NOT NULL,
    subject      TEXT,
    seen_seq     INTEGER NOT NULL,
    PRIMARY KEY (run, stage, attempt, item, item_attempt)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_wait_by_seen ON run_wait (seen_seq);

-- Calls over HTTP that are open: 0 to be made, 1 under way. The row goes when the call ends.
CREATE TABLE run_call (
    run          INTEGER NOT NULL,
    stage        INTEGER NOT NULL,
    attempt      INTEGER NOT NULL,
    item         INTEGER NOT NULL,
    item_attempt INTEGER NOT NULL,
    request      TEXT NOT NULL,
    state        INTEGER NOT NULL,
    tries        INTEGER NOT NULL,
    server       TEXT,
    begun_at     INTEGER,
    PRIMARY KEY (run, stage, attempt, item, item_attempt)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_call_open ON run_call (state, run);

-- `paused` is 0 or 1. Until `last_at` every slot has been dealt with.
CREATE TABLE schedule (
    scope      INTEGER NOT NULL,
    name       TEXT NOT NULL,
    revision   INTEGER NOT NULL,
    timing     TEXT NOT NULL,
    what       TEXT NOT NULL,
    missed     TEXT NOT NULL,
    overlap    TEXT NOT NULL,
    paused     INTEGER NOT NULL CHECK (paused IN (0, 1)),
    last_at    INTEGER NOT NULL,
    next_at    INTEGER,
    created_by INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    -- What became of the last slot (JSON).
    last       TEXT,
    PRIMARY KEY (scope, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX schedule_due ON schedule (next_at) WHERE paused = 0 AND next_at IS NOT NULL;

-- What became of a slot: 0 under way, 1 queued, 2 over, 3 skipped.
CREATE TABLE schedule_start (
    scope    INTEGER NOT NULL,
    name     TEXT NOT NULL,
    revision INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    run      INTEGER,
    task     INTEGER,
    state    INTEGER NOT NULL,
    reason   TEXT,
    PRIMARY KEY (scope, name, revision, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX schedule_start_open ON schedule_start (scope, name, state, at) WHERE state IN (0, 1);

-- Artifacts that a run's input or a subject that is used again names.
CREATE TABLE artifact_ref (
    artifact INTEGER NOT NULL,
    run      INTEGER NOT NULL,
    PRIMARY KEY (artifact, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX artifact_ref_by_run ON artifact_ref (run);

ALTER TABLE artifact ADD COLUMN run INTEGER;
ALTER TABLE artifact ADD COLUMN output TEXT;
CREATE INDEX artifact_by_run ON artifact (run, id) WHERE run IS NOT NULL;
CREATE INDEX artifact_loose ON artifact (id) WHERE task IS NULL AND run IS NULL;

-- A gate of a run: the part that asks, what is shown, where that was made, how much is blocked behind it, and when people are told again.
ALTER TABLE gate ADD COLUMN run INTEGER;
ALTER TABLE gate ADD COLUMN stage INTEGER;
ALTER TABLE gate ADD COLUMN attempt INTEGER;
ALTER TABLE gate ADD COLUMN item INTEGER;
ALTER TABLE gate ADD COLUMN item_attempt INTEGER;
ALTER TABLE gate ADD COLUMN artifact INTEGER;
ALTER TABLE gate ADD COLUMN origin TEXT;
ALTER TABLE gate ADD COLUMN weight INTEGER NOT NULL DEFAULT 0;
ALTER TABLE gate ADD COLUMN tell_at INTEGER;
CREATE INDEX gate_by_run ON gate (run, stage, attempt) WHERE run IS NOT NULL;
CREATE INDEX gate_inbox ON gate (weight DESC, id) WHERE state = 'open';
CREATE INDEX gate_inbox_of_scope ON gate (scope, weight DESC, id) WHERE state = 'open';
CREATE INDEX gate_by_notice ON gate (tell_at) WHERE state = 'open' AND tell_at IS NOT NULL;

-- The vote that made another subject of what this one is about.
ALTER TABLE gate_vote ADD COLUMN void_by INTEGER;

-- How many tasks their death has called off.
ALTER TABLE dead_letter ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0;
CREATE INDEX dead_letter_inbox ON dead_letter (blocked DESC, id) WHERE status = 0;
CREATE INDEX dead_letter_inbox_of_scope ON dead_letter (scope, blocked DESC, id) WHERE status = 0;

ALTER TABLE event ADD COLUMN run INTEGER;
CREATE INDEX event_by_run ON event (run, seq) WHERE run IS NOT NULL;

ALTER TABLE task ADD COLUMN run INTEGER;
CREATE INDEX task_by_run ON task (run, id) WHERE run IS NOT NULL;

DROP VIEW task_named;
CREATE VIEW task_named AS
SELECT t.id, t.scope, t.queue, t.lane, t.state, t.generation, t.kind, t.title, t.payload, t.priority, t.extras,
       t.created_by, t.ready_at, t.run_at, t.deadline, t.timeout_ms, t.max_attempts, t.used, t.waits_for,
       t.dependencies, t.unique_key, t.unique_for_ms, t.agent, t.instance, t.claim, t.lease_ms, t.started_at,
       t.settled_at, t.outcome, t.result, t.error, t.stop, t.progress, t.message, t.ended_at, t.reason, t.change,
       s.name AS scope_name, q.name AS queue_name, a.name AS agent_name, c.name AS actor_name, CASE WHEN t.state = 3 THEN 2 ELSE t.state END AS phase, t.run
FROM task t
JOIN scope s ON s.id = t.scope
JOIN queue q ON q.id = t.queue
LEFT JOIN agent a ON a.id = t.agent
JOIN actor c ON c.id = t.created_by;
