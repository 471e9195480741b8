//! From a place to its handler: one match that names every row of the table, so that a row without a handler does
//! not build. Handlers are thin: sentence to words, one deed, words to sentence. One file a noun.

pub(crate) mod agent;
pub(crate) mod audit;
pub(crate) mod board;
pub(crate) mod dead_letter;
pub(crate) mod docs;
pub(crate) mod event;
pub(crate) mod queue;
pub(crate) mod schema;
pub(crate) mod scope;
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
use tiltyard_model::refusal::{Code, Refusal};
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
    }
}

async fn absent() -> Answer {
    Err(Refusal::new(Code::NoSuchPath, "this part of the server is not built yet"))
}

fn api(endpoint: Endpoint, ask: Ask) -> Work {
    use Endpoint as E;
    match endpoint {
        E::TaskSubmit => Box::pin(task::submit::one(ask)),
        E::TaskSubmitBatch => Box::pin(task::submit::batch(ask)),
        E::TaskList => Box::pin(task::list(ask)),
        E::TaskBulk => Box::pin(task::bulk::bulk(ask)),
        E::TaskGraph => Box::pin(task::graph(ask)),
        E::TaskClaim => Box::pin(task::work::claim(ask)),
        E::TaskSettle => Box::pin(task::work::settle(ask)),
        E::TaskGet => Box::pin(task::get(ask)),
        E::TaskPatch => Box::pin(task::patch(ask)),
        E::TaskCancel => Box::pin(task::cancel(ask)),
        E::TaskRetry => Box::pin(task::retry(ask)),
        E::TaskWhy => Box::pin(task::why(ask)),
        E::TaskAttempts => Box::pin(task::attempts(ask)),
        E::TaskHeartbeat => Box::pin(task::work::heartbeat(ask)),
        E::TaskComplete => Box::pin(task::work::complete(ask)),
        E::TaskFail => Box::pin(task::work::fail(ask)),
        E::TaskRelease => Box::pin(task::work::release(ask)),
        E::DependencyPut => Box::pin(task::add_dependency(ask)),
        E::DependencyDelete => Box::pin(task::remove_dependency(ask)),
        E::BoardGet => Box::pin(board::get(ask)),
        E::QueueList => Box::pin(queue::list(ask)),
        E::QueuePatch => Box::pin(queue::patch(ask)),
        E::QueueDrain => Box::pin(queue::drain(ask)),
        E::TemplateList => Box::pin(template::list(ask)),
        E::TemplateGet => Box::pin(template::get(ask)),
        E::TemplatePut => Box::pin(template::put(ask)),
        E::TemplateDelete => Box::pin(template::delete(ask)),
        E::ScopeList => Box::pin(scope::list(ask)),
        E::ScopeGet => Box::pin(scope::get(ask)),
        E::ScopePut => Box::pin(scope::put(ask)),
        E::ScopeDelete => Box::pin(scope::delete(ask)),
        E::DeadLetterList => Box::pin(dead_letter::list(ask)),
        E::DeadLetterStats => Box::pin(dead_letter::stats(ask)),
        E::DeadLetterGroups => Box::pin(dead_letter::groups(ask)),
        E::DeadLetterBulk => Box::pin(dead_letter::bulk(ask)),
        E::DeadLetterGroupRetry => Box::pin(dead_letter::retry_group(ask)),
        E::DeadLetterGet => Box::pin(dead_letter::get(ask)),
        E::DeadLetterRetry => Box::pin(dead_letter::retry(ask)),
        E::DeadLetterDismiss => Box::pin(dead_letter::dismiss(ask)),
        E::DeadLetterReopen => Box::pin(dead_letter::reopen(ask)),
        E::DeadLetterDelete => Box::pin(dead_letter::delete(ask)),
        E::AuditList => Box::pin(audit::list(ask)),
        E::AuditStats => Box::pin(audit::stats(ask)),
        E::AuditExport => Box::pin(audit::export(ask)),
        E::TokenMint => Box::pin(token::mint(ask)),
        E::TokenList => Box::pin(token::list(ask)),
        E::TokenRevoke => Box::pin(token::revoke(ask)),
        E::TokenRotate => Box::pin(token::rotate(ask)),
        E::AgentList => Box::pin(agent::list(ask)),
        E::AgentConnect => Box::pin(live::agent::connect(ask)),
        E::AgentGet => Box::pin(agent::get(ask)),
        E::AgentHeartbeat => Box::pin(agent::heartbeat(ask)),
        E::AgentDrain => Box::pin(agent::drain(ask)),
        E::AgentResume => Box::pin(agent::resume(ask)),
        E::AgentDelete => Box::pin(agent::delete(ask)),
        E::AgentRegister => Box::pin(agent::register(ask)),
        E::AgentViolations => Box::pin(agent::violations(ask)),
        E::EventList => Box::pin(event::list(ask)),
        E::EventStream => Box::pin(live::event::stream(ask)),
        E::EventSocket => Box::pin(live::event::socket(ask)),
        E::AgentDisconnects => Box::pin(agent::disconnects(ask)),
        E::HealthGet => Box::pin(system::health(ask)),
        E::MetricsGet => Box::pin(system::metrics(ask)),
        E::SystemInfo => Box::pin(system::info(ask)),
        E::SystemStore => Box::pin(system::store(ask)),
        E::SystemSettings => Box::pin(system::settings(ask)),
        E::SystemMigrations => Box::pin(system::migrations(ask)),
        E::LogLevelGet => Box::pin(system::log_level(ask)),
        E::LogLevelPut => Box::pin(system::set_log_level(ask)),
        E::SchemaList => Box::pin(schema::list(ask)),
        E::SchemaGet => Box::pin(schema::get(ask)),
        E::OpenApi => Box::pin(schema::openapi(ask)),
        _ => Box::pin(absent()),
    }
}
