//! The rows.

#![allow(unused_parens, reason = "the macro writes the empty tuple and a type the same way")]

use super::{
    Call, Form, MAX_ARTIFACT_BYTES, MAX_BATCH_BODY_BYTES, MAX_BODY_BYTES, Method, Row, Shapes, Tier, shape,
};
use crate::page::{NoQuery, Page, PageQuery, PartQuery, ScopeQuery};
use crate::{
    agent, artifact, audit, board, change, dead_letter, event, gate, health, inbox, pipeline, queue,
    repository, run, schedule, scope, search, sign_in, system, task, template, token,
};
use schemars::{Schema, SchemaGenerator};
use tiltyard_model::role::Right;

macro_rules! limit {
    () => {
        MAX_BODY_BYTES
    };
    ($limit:expr) => {
        $limit
    };
}

macro_rules! endpoints {
    ($(
        #[doc = $doc:literal]
        $name:ident = $method:ident $path:literal, $right:ident, $tier:ident, $query:ty,
        $bform:ident $(($body:ty))? $([$limit:expr])?, $aform:ident $(($answer:ty))?, $success:literal;
    )+) => {
        /// The name of a row.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Endpoint { $(#[doc = $doc] $name,)+ }

        impl Endpoint {
            /// Every row, in the order of the document.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The row.
            pub const fn row(self) -> Row {
                match self { $(Self::$name => Row {
                    name: stringify!($name),
                    doc: $doc,
                    method: Method::$method,
                    path: $path,
                    right: Right::$right,
                    tier: Tier::$tier,
                    body: Form::$bform,
                    answer: Form::$aform,
                    success: $success,
                    max_body_bytes: limit!($($limit)?),
                },)+ }
            }

            pub(super) fn query(self) -> Schema {
                match self { $(Self::$name => schemars::schema_for!($query),)+ }
            }

            /// The schemas of the row.
            pub fn shapes(self, generator: &mut SchemaGenerator) -> Shapes {
                match self { $(Self::$name => Shapes {
                    query: self.query(),
                    body: shape::<($($body)?)>(generator, Form::$bform),
                    answer: shape::<($($answer)?)>(generator, Form::$aform),
                },)+ }
            }
        }

        /// Each row as a type.
        pub mod call {
            use super::*;
            $(
                #[doc = $doc]
                #[derive(Debug, Clone, Copy)]
                pub struct $name;

                impl Call for $name {
                    const ENDPOINT: Endpoint = Endpoint::$name;
                    type Query = $query;
                    type Body = ($($body)?);
                    type Answer = ($($answer)?);
                }
            )+
        }
    };
}

endpoints! {
    /// Submits a task; a duplicate of a unique key answers 200 with the first.
    TaskSubmit = Post "/tasks", Submit, Bulk, ScopeQuery, Json(task::Submit), Json(task::View), 201;
    /// Submits many tasks, all or nothing.
    TaskSubmitBatch = Post "/tasks/batch", Submit, Bulk, ScopeQuery, Json(task::SubmitBatch) [MAX_BATCH_BODY_BYTES], Json(task::BatchAnswer), 201;
    /// Lists tasks, newest first.
    TaskList = Get "/tasks", Read, Light, task::Filter, Empty, Json(Page<task::View>), 200;
    /// Does one thing to many tasks.
    TaskBulk = Post "/tasks/bulk", Operate, Heavy, NoQuery, Json(task::Bulk), Json(task::BulkAnswer), 200;
    /// Tasks and what they wait for.
    TaskGraph = Get "/tasks/graph", Read, Heavy, task::Filter, Empty, Json(task::Graph), 200;
    /// Takes work.
    TaskClaim = Post "/tasks/claim", Work, Bulk, ScopeQuery, Json(task::work::Claim), Json(task::work::Claimed), 200;
    /// Settles many, and takes the next ones along.
    TaskSettle = Post "/tasks/settle", Work, Bulk, NoQuery, Json(task::work::Settle) [MAX_BATCH_BODY_BYTES], Json(task::work::SettleAnswer), 200;
    /// One task.
    TaskGet = Get "/tasks/{id}", ReadWork, Light, NoQuery, Empty, Json(task::View), 200;
    /// Changes some fields of a task.
    TaskPatch = Patch "/tasks/{id}", Operate, Normal, NoQuery, Json(task::Patch), Json(task::View), 200;
    /// Calls a task off.
    TaskCancel = Post "/tasks/{id}/cancel", Operate, Normal, NoQuery, Json(task::Cancel), Json(task::View), 200;
    /// Runs a dead or cancelled task again.
    TaskRetry = Post "/tasks/{id}/retry", Operate, Normal, NoQuery, Json(task::Retry), Json(task::View), 200;
    /// Says why a task is not running.
    TaskWhy = Get "/tasks/{id}/why", ReadWork, Light, NoQuery, Empty, Json(task::Why), 200;
    /// The attempts of a task.
    TaskAttempts = Get "/tasks/{id}/attempts", ReadWork, Light, PartQuery, Empty, Json(Page<task::Attempt>), 200;
    /// The log of an attempt, as text; followed, as server-sent events.
    TaskLog = Get "/tasks/{id}/log", ReadWork, Light, task::LogQuery, Empty, Text, 200;
    /// Adds to the log of a running attempt.
    TaskLogAppend = Post "/tasks/{id}/log", Work, Bulk, NoQuery, Json(task::work::Log), Json(task::work::LogAnswer), 200;
    /// Prolongs one lease.
    TaskHeartbeat = Post "/tasks/{id}/heartbeat", Work, Bulk, NoQuery, Json(task::work::Heartbeat), Json(task::work::HeartbeatAnswer), 200;
    /// Settles one task as done.
    TaskComplete = Post "/tasks/{id}/complete", Work, Bulk, NoQuery, Json(task::work::Complete), Json(task::work::Settled), 200;
    /// Settles one task as failed.
    TaskFail = Post "/tasks/{id}/fail", Work, Bulk, NoQuery, Json(task::work::Fail), Json(task::work::Settled), 200;
    /// Gives one task back.
    TaskRelease = Post "/tasks/{id}/release", Work, Bulk, NoQuery, Json(task::work::Release), Json(task::work::Settled), 200;
    /// Adds a dependency.
    DependencyPut = Put "/tasks/{id}/dependencies/{task}", Operate, Normal, NoQuery, Empty, Json(task::View), 200;
    /// Takes a dependency away.
    DependencyDelete = Delete "/tasks/{id}/dependencies/{task}", Operate, Normal, NoQuery, Empty, Json(task::View), 200;
    /// Searches names, titles and errors, newest first, or finds one thing by its id.
    SearchGet = Get "/search", Read, Heavy, search::Query, Empty, Json(search::Answer), 200;
    /// Counts and windows of each column.
    BoardGet = Get "/board", Read, Heavy, board::Query, Empty, Json(board::View), 200;
    /// The queues.
    QueueList = Get "/queues", Read, Light, PageQuery, Empty, Json(Page<queue::View>), 200;
    /// Changes a queue's switches and limits.
    QueuePatch = Patch "/queues/{name}", Operate, Normal, ScopeQuery, Json(queue::Patch), Json(queue::View), 200;
    /// Finishes what runs, starts nothing.
    QueueDrain = Post "/queues/{name}/drain", Operate, Normal, ScopeQuery, Empty, Json(queue::View), 200;
    /// The templates.
    TemplateList = Get "/templates", ReadWork, Light, PageQuery, Empty, Json(Page<template::View>), 200;
    /// One template.
    TemplateGet = Get "/templates/{name}", ReadWork, Light, ScopeQuery, Empty, Json(template::View), 200;
    /// Saves a template.
    TemplatePut = Put "/templates/{name}", Operate, Normal, ScopeQuery, Json(template::Put), Json(template::View), 200;
    /// Deletes a template.
    TemplateDelete = Delete "/templates/{name}", Operate, Normal, ScopeQuery, Empty, Empty, 204;
    /// The schedules.
    ScheduleList = Get "/schedules", Read, Light, PageQuery, Empty, Json(Page<schedule::View>), 200;
    /// One schedule, with its next slots and what became of the last one.
    ScheduleGet = Get "/schedules/{name}", Read, Light, ScopeQuery, Empty, Json(schedule::View), 200;
    /// Saves a schedule.
    SchedulePut = Put "/schedules/{name}", Operate, Normal, ScopeQuery, Json(schedule::Put), Json(schedule::View), 200;
    /// Removes a schedule; what it started stays.
    ScheduleDelete = Delete "/schedules/{name}", Operate, Normal, ScopeQuery, Empty, Empty, 204;
    /// The scopes of the token.
    ScopeList = Get "/scopes", ReadWork, Light, PageQuery, Empty, Json(Page<scope::View>), 200;
    /// One scope.
    ScopeGet = Get "/scopes/{name}", ReadWork, Light, NoQuery, Empty, Json(scope::View), 200;
    /// Makes a scope, or describes it anew.
    ScopePut = Put "/scopes/{name}", Administer, Normal, NoQuery, Json(scope::Put), Json(scope::View), 200;
    /// Deletes an empty scope.
    ScopeDelete = Delete "/scopes/{name}", Administer, Normal, NoQuery, Empty, Empty, 204;
    /// Dead letters, newest first.
    DeadLetterList = Get "/dead-letters", Read, Light, dead_letter::Filter, Empty, Json(Page<dead_letter::View>), 200;
    /// How many dead letters there are.
    DeadLetterStats = Get "/dead-letters/stats", Read, Light, ScopeQuery, Empty, Json(dead_letter::Stats), 200;
    /// Dead letters by cause.
    DeadLetterGroups = Get "/dead-letters/groups", Read, Light, PageQuery, Empty, Json(Page<dead_letter::Group>), 200;
    /// Does one thing to many letters.
    DeadLetterBulk = Post "/dead-letters/bulk", Operate, Heavy, NoQuery, Json(dead_letter::Bulk), Json(task::BulkAnswer), 200;
    /// Retries letters of one cause: some at once, the rest at a rate.
    DeadLetterGroupRetry = Post "/dead-letters/groups/{fingerprint}/retry", Operate, Heavy, ScopeQuery, Json(dead_letter::RetryGroup), Json(dead_letter::RetryGroupAnswer), 200;
    /// One dead letter.
    DeadLetterGet = Get "/dead-letters/{id}", Read, Light, NoQuery, Empty, Json(dead_letter::View), 200;
    /// Runs a letter's task again.
    DeadLetterRetry = Post "/dead-letters/{id}/retry", Operate, Normal, NoQuery, Json(task::Retry), Json(dead_letter::View), 200;
    /// Sets a letter aside.
    DeadLetterDismiss = Post "/dead-letters/{id}/dismiss", Operate, Normal, NoQuery, Json(dead_letter::Dismiss), Json(dead_letter::View), 200;
    /// Brings a dismissed letter back.
    DeadLetterReopen = Post "/dead-letters/{id}/reopen", Operate, Normal, NoQuery, Empty, Json(dead_letter::View), 200;
    /// Removes letter and payload for good.
    DeadLetterDelete = Delete "/dead-letters/{id}", Operate, Normal, NoQuery, Empty, Empty, 204;
    /// Stores bytes for work that is still to come.
    ArtifactPost = Post "/artifacts", Submit, Heavy, artifact::PostQuery, Bytes [MAX_ARTIFACT_BYTES], Json(artifact::View), 201;
    /// Stores bytes of a running attempt under their digest.
    ArtifactPut = Put "/artifacts/sha256/{hex}", Work, Heavy, artifact::PutQuery, Bytes [MAX_ARTIFACT_BYTES], Json(artifact::View), 201;
    /// The bytes of an artifact.
    ArtifactGet = Get "/artifacts/{id}", ReadWork, Normal, artifact::GetQuery, Empty, Bytes, 200;
    /// What waits for a person: what most waits behind first, then older first.
    InboxGet = Get "/inbox", Read, Light, inbox::Filter, Empty, Json(Page<inbox::View>), 200;
    /// Gates, newest first.
    GateList = Get "/gates", Read, Light, gate::Filter, Empty, Json(Page<gate::View>), 200;
    /// One gate.
    GateGet = Get "/gates/{id}", Read, Light, NoQuery, Empty, Json(gate::View), 200;
    /// Says yes to what was seen, perhaps with a patch; a dry run shows what the patch makes of it.
    GateApprove = Post "/gates/{id}/approve", Operate, Normal, gate::ApproveQuery, Json(gate::Approve), Json(gate::Decision), 200;
    /// Says no to what was seen.
    GateReject = Post "/gates/{id}/reject", Operate, Normal, NoQuery, Json(gate::Reject), Json(gate::Decision), 200;
    /// Makes an agent's name known and mints its token.
    AgentRegister = Post "/agents", Administer, Normal, NoQuery, Json(agent::Register), Json(agent::Registered), 201;
    /// The agents.
    AgentList = Get "/agents", Read, Light, PageQuery, Empty, Json(Page<agent::View>), 200;
    /// The agent protocol.
    AgentConnect = Get "/agents/connect", Connect, Exempt, NoQuery, Empty, Socket, 101;
    /// One agent.
    AgentGet = Get "/agents/{name}", Read, Light, NoQuery, Empty, Json(agent::View), 200;
    /// Prolongs all leases of an agent.
    AgentHeartbeat = Post "/agents/{name}/heartbeat", Work, Bulk, NoQuery, Json(task::work::AgentHeartbeat), Json(task::work::AgentHeartbeatAnswer), 200;
    /// Tells an agent to take nothing new.
    AgentDrain = Post "/agents/{name}/drain", Operate, Normal, NoQuery, Empty, Json(agent::View), 200;
    /// Tells an agent to take work again.
    AgentResume = Post "/agents/{name}/resume", Operate, Normal, NoQuery, Empty, Json(agent::View), 200;
    /// Forgets an agent that is offline and holds nothing.
    AgentDelete = Delete "/agents/{name}", Administer, Normal, NoQuery, Empty, Empty, 204;
    /// The last invalid messages of an agent.
    AgentViolations = Get "/agents/{name}/violations", Read, Light, PartQuery, Empty, Json(Page<agent::Violation>), 200;
    /// The last ends of an agent's connections.
    AgentDisconnects = Get "/agents/{name}/disconnects", Read, Light, PartQuery, Empty, Json(Page<agent::Disconnect>), 200;
    /// The repositories.
    RepositoryList = Get "/repositories", Read, Light, PageQuery, Empty, Json(Page<repository::View>), 200;
    /// One repository.
    RepositoryGet = Get "/repositories/{name}", Read, Light, ScopeQuery, Empty, Json(repository::View), 200;
    /// Registers a repository, after its agent has looked at it.
    RepositoryPut = Put "/repositories/{name}", Administer, Normal, ScopeQuery, Json(repository::Put), Json(repository::View), 200;
    /// Forgets a repository.
    RepositoryDelete = Delete "/repositories/{name}", Administer, Normal, ScopeQuery, Empty, Empty, 204;
    /// The rules by which its changes are weighed.
    RepositoryRules = Get "/repositories/{name}/rules", Read, Light, ScopeQuery, Empty, Json(repository::Rules), 200;
    /// Weighs a diff without proposing it.
    RepositoryWeigh = Post "/repositories/{name}/weigh", Read, Heavy, ScopeQuery, Json(repository::Weigh), Json(repository::Weight), 200;
    /// The pipelines.
    PipelineList = Get "/pipelines", Read, Light, PageQuery, Empty, Json(Page<pipeline::View>), 200;
    /// Tells every mistake of a definition, and publishes nothing.
    PipelineValidate = Post "/pipelines/validate", Read, Heavy, ScopeQuery, Text, Json(pipeline::Validation), 200;
    /// One pipeline with its definition, as it is or as it was with a number.
    PipelineGet = Get "/pipelines/{name}", Read, Light, pipeline::Query, Empty, Json(pipeline::View), 200;
    /// Publishes a definition under a name; 201 where the name is new.
    PipelinePut = Put "/pipelines/{name}", Operate, Heavy, ScopeQuery, Text, Json(pipeline::View), 200;
    /// Takes a pipeline's name away; its runs go on.
    PipelineDelete = Delete "/pipelines/{name}", Operate, Normal, ScopeQuery, Empty, Empty, 204;
    /// Starts a run of a pipeline, or of a definition that comes along.
    RunStart = Post "/runs", Submit, Normal, ScopeQuery, Json(run::Start), Json(run::View), 201;
    /// Runs, newest first.
    RunList = Get "/runs", Read, Light, run::Filter, Empty, Json(Page<run::View>), 200;
    /// One run with its stages.
    RunGet = Get "/runs/{id}", ReadWork, Light, NoQuery, Empty, Json(run::View), 200;
    /// Calls a run off, with all that it has started.
    RunCancel = Post "/runs/{id}/cancel", Operate, Normal, NoQuery, Json(run::Cancel), Json(run::View), 200;
    /// Runs what was not done again, or all from a stage on.
    RunRerun = Post "/runs/{id}/rerun", Operate, Normal, NoQuery, Json(run::Rerun), Json(run::View), 200;
    /// The items of a stage's list, in its order.
    RunItems = Get "/runs/{id}/stages/{stage}/items", ReadWork, Light, run::ItemQuery, Empty, Json(Page<run::Item>), 200;
    /// What the stages of a run have put out.
    RunArtifacts = Get "/runs/{id}/artifacts", ReadWork, Light, PartQuery, Empty, Json(Page<run::Artifact>), 200;
    /// What happened to a run, an event a line.
    RunEvents = Get "/runs/{id}/events.jsonl", ReadWork, Normal, NoQuery, Empty, Text, 200;
    /// Changes, newest first.
    ChangeList = Get "/changes", Read, Light, change::Filter, Empty, Json(Page<change::View>), 200;
    /// One change.
    ChangeGet = Get "/changes/{id}", Read, Light, NoQuery, Empty, Json(change::View), 200;
    /// Its diff.
    ChangeDiff = Get "/changes/{id}/diff", Read, Normal, NoQuery, Empty, Text, 200;
    /// Its checks.
    ChangeChecks = Get "/changes/{id}/checks", Read, Light, PartQuery, Empty, Json(Page<change::CheckRun>), 200;
    /// Approves what was seen.
    ChangeApprove = Post "/changes/{id}/approve", Operate, Normal, NoQuery, Json(gate::Approve), Json(change::Decided), 200;
    /// Rejects what was seen.
    ChangeReject = Post "/changes/{id}/reject", Operate, Normal, NoQuery, Json(gate::Reject), Json(change::Decided), 200;
    /// Sends what was seen back to its agent with comments.
    ChangeSendBack = Post "/changes/{id}/send-back", Operate, Normal, NoQuery, Json(change::SendBack), Json(change::Decided), 200;
    /// Events after a cursor, oldest first.
    EventList = Get "/events", Read, Light, event::Query, Empty, Json(event::Page), 200;
    /// Events as they happen.
    EventStream = Get "/events/stream", Read, Light, event::Query, Empty, Sse, 200;
    /// Events as they happen, with filters at run time.
    EventSocket = Get "/events/ws", Read, Light, event::Query, Empty, Socket, 101;
    /// Audit entries, newest first.
    AuditList = Get "/audit", Read, Light, audit::Filter, Empty, Json(Page<audit::Entry>), 200;
    /// How many audit entries there are.
    AuditStats = Get "/audit/stats", Read, Light, ScopeQuery, Empty, Json(audit::Stats), 200;
    /// One whole chain, an entry a line.
    AuditExport = Get "/audit/export", Read, Heavy, ScopeQuery, Empty, Text, 200;
    /// Mints a token.
    TokenMint = Post "/auth/tokens", Administer, Normal, NoQuery, Json(token::Mint), Json(token::Minted), 201;
    /// The tokens.
    TokenList = Get "/auth/tokens", Administer, Light, PageQuery, Empty, Json(Page<token::View>), 200;
    /// Revokes a token.
    TokenRevoke = Delete "/auth/tokens/{id}", Administer, Normal, NoQuery, Empty, Empty, 204;
    /// Ends a token and mints its like.
    TokenRotate = Post "/auth/tokens/{id}/rotate", Administer, Normal, NoQuery, Empty, Json(token::Minted), 201;
    /// Signs a browser in: the answer sets its cookie.
    SignIn = Post "/auth/session", Open, Normal, NoQuery, Json(sign_in::With), Json(sign_in::View), 201;
    /// Signs a browser out.
    SignOut = Delete "/auth/session", ReadWork, Normal, NoQuery, Empty, Empty, 204;
    /// Makes a code that signs a browser in once.
    SignInCode = Post "/auth/codes", Read, Normal, NoQuery, Empty, Json(sign_in::Code), 201;
    /// How the parts are.
    HealthGet = Get "/health", Open, Exempt, NoQuery, Empty, Json(health::Health), 200;
    /// The metrics as JSON.
    MetricsGet = Get "/metrics", Read, Light, NoQuery, Empty, Json(system::Metrics), 200;
    /// What runs here.
    SystemInfo = Get "/system/info", Read, Light, NoQuery, Empty, Json(system::Info), 200;
    /// What it keeps its data in.
    SystemStore = Get "/system/store", Govern, Light, NoQuery, Empty, Json(system::Store), 200;
    /// The settings in force.
    SystemSettings = Get "/system/settings", Govern, Light, NoQuery, Empty, Json(system::Settings), 200;
    /// The schema's steps.
    SystemMigrations = Get "/system/migrations", Govern, Light, PartQuery, Empty, Json(Page<system::Migration>), 200;
    /// How much is logged.
    LogLevelGet = Get "/system/log-level", Govern, Light, NoQuery, Empty, Json(system::LogLevel), 200;
    /// Logs more or less, until the restart.
    LogLevelPut = Put "/system/log-level", Govern, Normal, NoQuery, Json(system::LogLevel), Json(system::LogLevel), 200;
    /// The names of the schemas.
    SchemaList = Get "/schemas", Open, Exempt, NoQuery, Empty, Json(Vec<String>), 200;
    /// One schema.
    SchemaGet = Get "/schemas/{name}", Open, Exempt, NoQuery, Empty, Json(serde_json::Value), 200;
    /// The document of this API.
    OpenApi = Get "/openapi.json", Open, Exempt, NoQuery, Empty, Json(serde_json::Value), 200;
}
