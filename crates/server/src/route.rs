//! From a place to its handler: one match that names every row of the table, so that a row without a handler does
//! not build. Handlers are thin: sentence to words, one deed, words to sentence. One file a noun.

pub(crate) mod agent;
pub(crate) mod artifact;
pub(crate) mod audit;
pub(crate) mod board;
pub(crate) mod change;
pub(crate) mod dead_letter;
pub(crate) mod docs;
pub(crate) mod event;
pub(crate) mod gate;
pub(crate) mod inbox;
pub(crate) mod pipeline;
pub(crate) mod queue;
pub(crate) mod repository;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod schema;
pub(crate) mod scope;
pub(crate) mod search;
pub(crate) mod sign_in;
pub(crate) mod system;
pub(crate) mod task;
pub(crate) mod template;
pub(crate) mod token;

use crate::ask::Ask;
use crate::edge::place::{Outside, Place};
use crate::live;
use crate::reply::Answer;
use std::future::Future;
use std::pin::Pin;
use tiltyard_wire::endpoint::Endpoint;

/// A handler at work. Boxed: the largest of them would otherwise set the size of every connection.
pub(crate) type Work = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Starts the handler of a place.
pub(crate) fn route(place: Place, ask: Ask) -> Work {
    match place {
        Place::Api(endpoint) => api(endpoint, ask),
        Place::Outside(page) => outside(page, ask),
    }
}

fn outside(page: Outside, ask: Ask) -> Work {
    match page {
        Outside::Alive => Box::pin(system::alive()),
        Outside::Ready => Box::pin(system::ready(ask)),
        Outside::Metrics => Box::pin(system::prometheus(ask)),
        Outside::Docs => Box::pin(docs::page(ask)),
        Outside::Front => Box::pin(docs::front()),
    }
}

macro_rules! handlers {
    ($($endpoint:ident => $handler:path,)+) => {
        fn api(endpoint: Endpoint, ask: Ask) -> Work {
            match endpoint { $(Endpoint::$endpoint => Box::pin($handler(ask)),)+ }
        }
    };
}

// In the order of the table. A row that is not here does not build.
handlers! {
    TaskSubmit => task::submit::one,
    TaskSubmitBatch => task::submit::batch,
    TaskList => task::list,
    TaskBulk => task::bulk::bulk,
    TaskGraph => task::graph,
    TaskClaim => task::work::claim,
    TaskSettle => task::work::settle,
    TaskGet => task::get,
    TaskPatch => task::patch,
    TaskCancel => task::cancel,
    TaskRetry => task::retry,
    TaskWhy => task::why,
    TaskAttempts => task::attempts,
    TaskLog => task::log::get,
    TaskLogAppend => task::log::append,
    TaskHeartbeat => task::work::heartbeat,
    TaskComplete => task::work::complete,
    TaskFail => task::work::fail,
    TaskRelease => task::work::release,
    DependencyPut => task::add_dependency,
    DependencyDelete => task::remove_dependency,
    SearchGet => search::search,
    BoardGet => board::get,
    QueueList => queue::list,
    QueuePatch => queue::patch,
    QueueDrain => queue::drain,
    TemplateList => template::list,
    TemplateGet => template::get,
    TemplatePut => template::put,
    TemplateDelete => template::delete,
    ScheduleList => schedule::list,
    ScheduleGet => schedule::get,
    SchedulePut => schedule::put,
    ScheduleDelete => schedule::delete,
    ScopeList => scope::list,
    ScopeGet => scope::get,
    ScopePut => scope::put,
    ScopeDelete => scope::delete,
    DeadLetterList => dead_letter::list,
    DeadLetterStats => dead_letter::stats,
    DeadLetterGroups => dead_letter::groups,
    DeadLetterBulk => dead_letter::bulk,
    DeadLetterGroupRetry => dead_letter::retry_group,
    DeadLetterGet => dead_letter::get,
    DeadLetterRetry => dead_letter::retry,
    DeadLetterDismiss => dead_letter::dismiss,
    DeadLetterReopen => dead_letter::reopen,
    DeadLetterDelete => dead_letter::delete,
    ArtifactPost => artifact::post,
    ArtifactPut => artifact::put,
    ArtifactGet => artifact::get,
    InboxGet => inbox::get,
    GateList => gate::list,
    GateGet => gate::get,
    GateApprove => gate::approve,
    GateReject => gate::reject,
    AgentRegister => agent::register,
    AgentList => agent::list,
    AgentConnect => live::agent::connect,
    AgentGet => agent::get,
    AgentHeartbeat => agent::heartbeat,
    AgentDrain => agent::drain,
    AgentResume => agent::resume,
    AgentDelete => agent::delete,
    AgentViolations => agent::violations,
    AgentDisconnects => agent::disconnects,
    RepositoryList => repository::list,
    RepositoryGet => repository::get,
    RepositoryPut => repository::put,
    RepositoryDelete => repository::delete,
    RepositoryRules => repository::rules,
    RepositoryWeigh => repository::weigh,
    PipelineList => pipeline::list,
    PipelineValidate => pipeline::validate,
    PipelineGet => pipeline::get,
    PipelinePut => pipeline::put,
    PipelineDelete => pipeline::delete,
    RunStart => run::start,
    RunList => run::list,
    RunGet => run::get,
    RunCancel => run::cancel,
    RunRerun => run::rerun,
    RunItems => run::items,
    RunArtifacts => run::artifacts,
    RunEvents => run::events::events,
    ChangeList => change::list,
    ChangeGet => change::get,
    ChangeDiff => change::diff,
    ChangeChecks => change::checks,
    ChangeApprove => change::approve,
    ChangeReject => change::reject,
    ChangeSendBack => change::send_back,
    EventList => event::list,
    EventStream => live::event::stream,
    EventSocket => live::event::socket,
    AuditList => audit::list,
    AuditStats => audit::stats,
    AuditExport => audit::export,
    TokenMint => token::mint,
    TokenList => token::list,
    TokenRevoke => token::revoke,
    TokenRotate => token::rotate,
    SignIn => sign_in::sign_in,
    SignOut => sign_in::sign_out,
    SignInCode => sign_in::code,
    HealthGet => system::health,
    MetricsGet => system::metrics,
    SystemInfo => system::info,
    SystemStore => system::store,
    SystemSettings => system::settings,
    SystemMigrations => system::migrations,
    LogLevelGet => system::log_level,
    LogLevelPut => system::set_log_level,
    SchemaList => schema::list,
    SchemaGet => schema::get,
    OpenApi => schema::openapi,
}
