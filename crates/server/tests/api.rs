//! The API as its callers see it: stories on real servers at port 0, over real HTTP.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test's helper does not expect fails the test")]

#[path = "api/support.rs"]
mod support;

#[path = "api/agent.rs"]
mod agent;
#[path = "api/artifact.rs"]
mod artifact;
#[path = "api/audit.rs"]
mod audit;
#[path = "api/board.rs"]
mod board;
#[path = "api/change.rs"]
mod change;
#[path = "api/dead_letter.rs"]
mod dead_letter;
#[path = "api/fault.rs"]
mod fault;
#[path = "api/gate_race.rs"]
mod gate_race;
#[path = "api/inbox.rs"]
mod inbox;
#[path = "api/log.rs"]
mod log;
#[path = "api/once.rs"]
mod once;
#[path = "api/parameter.rs"]
mod parameter;
#[path = "api/pipeline.rs"]
mod pipeline;
#[path = "api/precondition.rs"]
mod precondition;
#[path = "api/queue.rs"]
mod queue;
#[path = "api/record.rs"]
mod record;
#[path = "api/right.rs"]
mod right;
#[path = "api/run.rs"]
mod run;
#[path = "api/schedule.rs"]
mod schedule;
#[path = "api/scope.rs"]
mod scope;
#[path = "api/search.rs"]
mod search;
#[path = "api/sign_in.rs"]
mod sign_in;
#[path = "api/system.rs"]
mod system;
#[path = "api/task.rs"]
mod task;
#[path = "api/template.rs"]
mod template;
#[path = "api/token.rs"]
mod token;
