//! Chaos: the real binary, real disks, real signals. A ledger beside the server holds what was acknowledged; whatever
//! happens to the server, the store must keep it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "tests")]

mod agent;
mod check;
mod copy;
mod disk;
mod fault;
mod fleet;
mod flood;
mod fold;
mod freeze;
mod guide;
mod kill;
mod ledger;
mod line;
mod load;
mod measure;
mod mishap;
mod pipeline;
mod power;
mod rollback;
mod seen;
mod server;
mod stop;
