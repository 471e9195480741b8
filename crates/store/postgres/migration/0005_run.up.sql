-- Pipelines, runs and schedules (docs/decision/0007-pipelines.md, 0008-runs.md). Times are milliseconds, what is JSON says so or has no columns of its own.
-- Definitions by their content; what a name was published with, and what it is now.
CREATE TABLE pipeline_version (
    id         bigint PRIMARY KEY,
    scope      bigint NOT NULL,
    -- Of the canonical form.
    sha256     text COLLATE "C" NOT NULL,
    -- As it was sent.
    source     text COLLATE "C" NOT NULL,
    canonical  text COLLATE "C" NOT NULL,
    -- Its stages in order and what needs what: what a run is advanced by, so that no program reads the definition again for it.
    graph      text COLLATE "C" NOT NULL,
    stages     bigint NOT NULL,
    created_at bigint NOT NULL
);
CREATE UNIQUE INDEX pipeline_version_by_content ON pipeline_version (scope, sha256);

CREATE TABLE pipeline (
    scope        bigint NOT NULL,
    name         text COLLATE "C" NOT NULL,
    version      bigint NOT NULL,
    number       bigint NOT NULL,
    published_at bigint NOT NULL,
    published_by bigint NOT NULL,
    deleted_at   bigint,
    PRIMARY KEY (scope, name)
);
CREATE INDEX pipeline_by_version ON pipeline (version);

CREATE TABLE pipeline_history (
    scope        bigint NOT NULL,
    name         text COLLATE "C" NOT NULL,
    number       bigint NOT NULL,
    version      bigint NOT NULL,
    published_at bigint NOT NULL,
    published_by bigint NOT NULL,
    PRIMARY KEY (scope, name, number)
);
CREATE INDEX pipeline_history_by_version ON pipeline_history (version);

-- States: 0 queued, 1 running, 2 waiting, 3 succeeded, 4 failed, 5 cancelled.
CREATE TABLE run (
    id                  bigint PRIMARY KEY,
    scope               bigint NOT NULL,
    state               smallint NOT NULL CHECK (state BETWEEN 0 AND 5),
    version             bigint NOT NULL,
    -- The name it was started by, and the number that the name had then.
    pipeline            text COLLATE "C",
    number              bigint,
    title               text COLLATE "C",
    schedule            text COLLATE "C",
    slot_at             bigint,
    slot_revision       bigint,
    -- The part of another run that it is.
    parent              bigint,
    parent_stage        bigint,
    parent_attempt      bigint,
    parent_item         bigint,
    parent_item_attempt bigint,
    root                bigint NOT NULL,
    depth               smallint NOT NULL,
    reruns              bigint NOT NULL,
    stops_asked         bigint NOT NULL,
    stops_stopped       bigint NOT NULL,
    stops_unconfirmed   bigint NOT NULL,
    -- The last event before it: a wait for an event is met by what came after.
    began_seq           bigint NOT NULL,
    started_by          bigint NOT NULL,
    submitter           text COLLATE "C",
    -- The versions of the pipelines that its stages name (JSON).
    pins                text COLLATE "C",
    created_at          bigint NOT NULL,
    begun_at            bigint,
    ended_at            bigint,
    error               text COLLATE "C",
    -- As of its last change of state: five numbers (store/src/run/row.rs).
    progress            text COLLATE "C",
    CHECK ((parent IS NULL) = (parent_stage IS NULL)),
    CHECK ((schedule IS NULL) = (slot_at IS NULL))
) WITH (fillfactor = 70);
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
    run   bigint PRIMARY KEY,
    input text COLLATE "C" NOT NULL
);

-- `thing` is what carries it out: the key of its task, gate or run; null while it is still to begin. No index here is about what moves:
-- a move costs one row.
CREATE TABLE stage (
    run              bigint NOT NULL,
    stage            bigint NOT NULL,
    state            smallint NOT NULL,
    attempt          bigint NOT NULL,
    failures         bigint NOT NULL,
    why              text COLLATE "C",
    -- The gate that sent the run back here, and its attempt and round.
    feedback_gate    bigint,
    feedback_attempt bigint,
    feedback_round   bigint,
    sent_back        bigint NOT NULL,
    past             bigint,
    thing            bigint,
    began_at         bigint,
    tally            text COLLATE "C",
    PRIMARY KEY (run, stage)
) WITH (fillfactor = 50);

-- States: 0 not begun, 1 ready, 2 running, 3 waiting, 4 succeeded, 5 failed, 6 skipped, 7 cancelled.
CREATE TABLE run_item (
    run     bigint NOT NULL,
    stage   bigint NOT NULL,
    attempt bigint NOT NULL,
    item    bigint NOT NULL,
    value   text COLLATE "C" NOT NULL,
    state   smallint NOT NULL,
    tries   bigint NOT NULL,
    rest    bigint,
    thing   bigint,
    result  text COLLATE "C",
    error   text COLLATE "C",
    PRIMARY KEY (run, stage, attempt, item)
) WITH (fillfactor = 70);
CREATE INDEX run_item_open ON run_item (run, stage, item) WHERE state IN (1, 2, 3);

CREATE TABLE stage_attempt (
    run      bigint NOT NULL,
    stage    bigint NOT NULL,
    attempt  bigint NOT NULL,
    uses     smallint NOT NULL,
    thing    bigint,
    state    smallint NOT NULL,
    why      text COLLATE "C",
    error    text COLLATE "C",
    context  text COLLATE "C",
    began_at bigint NOT NULL,
    ended_at bigint,
    PRIMARY KEY (run, stage, attempt)
);

-- `item` is -1 where the stage itself made it.
CREATE TABLE run_output (
    run      bigint NOT NULL,
    stage    bigint NOT NULL,
    attempt  bigint NOT NULL,
    item     bigint NOT NULL,
    name     text COLLATE "C" NOT NULL,
    kind     smallint NOT NULL,
    artifact bigint,
    -- A document of up to 16 KiB lies here too.
    value    text COLLATE "C",
    PRIMARY KEY (run, stage, attempt, item, name)
);
CREATE INDEX run_output_by_artifact ON run_output (artifact) WHERE artifact IS NOT NULL;

-- `what`: 0 the end of a wait, 1 another try, 2 the end of its time, 3 the end of the time to stop. `item` is -1 where the stage itself is meant.
CREATE TABLE run_timer (
    run          bigint NOT NULL,
    stage        bigint NOT NULL,
    attempt      bigint NOT NULL,
    item         bigint NOT NULL,
    item_attempt bigint NOT NULL,
    what         bigint NOT NULL,
    due_at       bigint NOT NULL,
    PRIMARY KEY (run, stage, attempt, item, item_attempt, what)
);
CREATE INDEX run_timer_due ON run_timer (due_at);

-- Waits for an event: the last one that has been looked at.
CREATE TABLE run_wait (
    run          bigint NOT NULL,
    stage        bigint NOT NULL,
    attempt      bigint NOT NULL,
    item         bigint NOT NULL,
    item_attempt bigint NOT NULL,
    scope        bigint NOT NULL,
    type         bigint NOT NULL,
    subject      text COLLATE "C",
    seen_seq     bigint NOT NULL,
    PRIMARY KEY (run, stage, attempt, item, item_attempt)
);
CREATE INDEX run_wait_by_seen ON run_wait (seen_seq);

-- Calls over HTTP that are open: 0 to be made, 1 under way. The row goes when the call ends.
CREATE TABLE run_call (
    run          bigint NOT NULL,
    stage        bigint NOT NULL,
    attempt      bigint NOT NULL,
    item         bigint NOT NULL,
    item_attempt bigint NOT NULL,
    request      text COLLATE "C" NOT NULL,
    state        smallint NOT NULL,
    tries        bigint NOT NULL,
    server       text COLLATE "C",
    begun_at     bigint,
    PRIMARY KEY (run, stage, attempt, item, item_attempt)
);
CREATE INDEX run_call_open ON run_call (state, run);

-- `paused` is 0 or 1. Until `last_at` every slot has been dealt with.
CREATE TABLE schedule (
    scope      bigint NOT NULL,
    name       text COLLATE "C" NOT NULL,
    revision   bigint NOT NULL,
    timing     text COLLATE "C" NOT NULL,
    what       text COLLATE "C" NOT NULL,
    missed     text COLLATE "C" NOT NULL,
    overlap    text COLLATE "C" NOT NULL,
    paused     smallint NOT NULL CHECK (paused IN (0, 1)),
    last_at    bigint NOT NULL,
    next_at    bigint,
    created_by bigint NOT NULL,
    updated_at bigint NOT NULL,
    -- What became of the last slot (JSON).
    last       text COLLATE "C",
    PRIMARY KEY (scope, name)
);
CREATE INDEX schedule_due ON schedule (next_at) WHERE paused = 0 AND next_at IS NOT NULL;

-- What became of a slot: 0 under way, 1 queued, 2 over, 3 skipped.
CREATE TABLE schedule_start (
    scope    bigint NOT NULL,
    name     text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    at       bigint NOT NULL,
    run      bigint,
    task     bigint,
    state    smallint NOT NULL,
    reason   text COLLATE "C",
    PRIMARY KEY (scope, name, revision, at)
);
CREATE INDEX schedule_start_open ON schedule_start (scope, name, state, at) WHERE state IN (0, 1);

-- Artifacts that a run's input or a subject that is used again names.
CREATE TABLE artifact_ref (
    artifact bigint NOT NULL,
    run      bigint NOT NULL,
    PRIMARY KEY (artifact, run)
);
CREATE INDEX artifact_ref_by_run ON artifact_ref (run);

ALTER TABLE artifact ADD COLUMN run bigint;
ALTER TABLE artifact ADD COLUMN output text COLLATE "C";
CREATE INDEX artifact_by_run ON artifact (run, id) WHERE run IS NOT NULL;
CREATE INDEX artifact_loose ON artifact (id) WHERE task IS NULL AND run IS NULL;

-- A gate of a run: the part that asks, what is shown, where that was made, how much is blocked behind it, and when people are told again.
ALTER TABLE gate ADD COLUMN run bigint;
ALTER TABLE gate ADD COLUMN stage bigint;
ALTER TABLE gate ADD COLUMN attempt bigint;
ALTER TABLE gate ADD COLUMN item bigint;
ALTER TABLE gate ADD COLUMN item_attempt bigint;
ALTER TABLE gate ADD COLUMN artifact bigint;
ALTER TABLE gate ADD COLUMN origin text COLLATE "C";
ALTER TABLE gate ADD COLUMN weight bigint NOT NULL DEFAULT 0;
ALTER TABLE gate ADD COLUMN tell_at bigint;
CREATE INDEX gate_by_run ON gate (run, stage, attempt) WHERE run IS NOT NULL;
CREATE INDEX gate_inbox ON gate (weight DESC, id) WHERE state = 'open';
CREATE INDEX gate_inbox_of_scope ON gate (scope, weight DESC, id) WHERE state = 'open';
CREATE INDEX gate_by_notice ON gate (tell_at) WHERE state = 'open' AND tell_at IS NOT NULL;

-- The vote that made another subject of what this one is about.
ALTER TABLE gate_vote ADD COLUMN void_by bigint;

-- How many tasks their death has called off.
ALTER TABLE dead_letter ADD COLUMN blocked bigint NOT NULL DEFAULT 0;
CREATE INDEX dead_letter_inbox ON dead_letter (blocked DESC, id) WHERE status = 0;
CREATE INDEX dead_letter_inbox_of_scope ON dead_letter (scope, blocked DESC, id) WHERE status = 0;

ALTER TABLE event ADD COLUMN run bigint;
CREATE INDEX event_by_run ON event (run, seq) WHERE run IS NOT NULL;

ALTER TABLE task ADD COLUMN run bigint;
CREATE INDEX task_by_run ON task (run, id) WHERE run IS NOT NULL;

CREATE OR REPLACE VIEW task_named AS
SELECT t.id, t.scope, t.queue, t.lane, t.state, t.generation, t.kind, t.title, t.payload, t.priority, t.extras,
       t.created_by, t.ready_at, t.run_at, t.deadline, t.timeout_ms, t.max_attempts, t.used, t.waits_for,
       t.dependencies, t.unique_key, t.unique_for_ms, t.agent, t.instance, t.claim, t.lease_ms, t.started_at,
       t.settled_at, t.outcome, t.result, t.error, t.stop, t.progress, t.message, t.ended_at, t.reason, t.change,
       s.name AS scope_name, q.name AS queue_name, a.name AS agent_name, c.name AS actor_name, t.phase, t.run
FROM task t
JOIN scope s ON s.id = t.scope
JOIN queue q ON q.id = t.queue
LEFT JOIN agent a ON a.id = t.agent
JOIN actor c ON c.id = t.created_by;

-- Servers of a program before know no runs: a page of the version that goes with this schema (engine/src/journal.rs) has them hand over.
INSERT INTO journal (seq, server, made_at, steps)
SELECT max(seq) + 1, 'schema/5', floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint, '\x06'::bytea
FROM journal
HAVING max(seq) IS NOT NULL;
