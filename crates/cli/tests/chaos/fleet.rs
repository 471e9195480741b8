//! Chaos over a shared store: several servers, a real PostgreSQL, and bad luck for each of them. Short stories run in
//! `make test`; `make soak` (`SOAK=1`) runs the same ones for long.

mod agent;
mod balancer;
mod clock;
mod commit;
mod cut;
mod failover;
mod frozen;
mod kill;
mod lead;
mod order;
mod pool;
mod session;
mod site;
mod upgrade;

pub(crate) use site::{cluster, short_or_long};
