//! What lives longer than a request: followers of events and logs, and agents' sockets, on real servers at port 0.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test's helper does not expect fails the test")]

#[path = "live/support.rs"]
mod support;

#[path = "live/proxy.rs"]
mod proxy;

#[path = "live/stream.rs"]
mod stream;

#[path = "live/fault.rs"]
mod fault;
#[path = "live/reader.rs"]
mod reader;

#[path = "live/token.rs"]
mod token;

#[path = "live/log.rs"]
mod log;

#[path = "live/door.rs"]
mod door;

#[path = "live/agent.rs"]
mod agent;

#[path = "live/pair.rs"]
mod pair;
#[path = "live/run_file.rs"]
mod run_file;
