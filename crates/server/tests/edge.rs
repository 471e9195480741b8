//! The edge on real sockets: what a client sees that is slow, greedy, foreign, or simply wrong.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test's helper does not expect fails the test")]

#[path = "edge/support.rs"]
mod support;

#[path = "edge/body.rs"]
mod body;
#[path = "edge/column.rs"]
mod column;
#[path = "edge/connection.rs"]
mod connection;
#[path = "edge/head.rs"]
mod head;
#[path = "edge/stop.rs"]
mod stop;
#[path = "edge/tls.rs"]
mod tls;
