//! The edge: all that stands between a socket and a handler, in one column that no route can leave (SEC18).
//!
//! ```text
//! listener    accepts, counts, TLS                    slots, descriptor, tls
//! connection  reads heads, watches the clock          link
//! guard       Host, Origin, who, may they             host, origin, proxy, place, failures, close_code
//! body        size, pace, type, depth, JSON           intake, depth, pointer; query for parameters
//! house       the floor above: caller, routes, counters (a trait)
//! ```

pub mod bind;
pub mod body;
pub mod close_code;
mod connection;
pub mod depth;
pub mod descriptor;
pub mod failures;
pub mod guard;
pub mod host;
pub mod house;
pub mod intake;
mod link;
pub mod listener;
pub mod origin;
pub mod place;
pub mod pointer;
pub mod proxy;
pub mod query;
pub mod request_id;
pub mod slots;
pub mod stop;
pub mod tls;
pub mod visit;
mod words;

use crate::edge::host::{DEFAULT_NAMES, Scheme};
use crate::edge::intake::PACE_WINDOW_MS;
use crate::edge::place::BodyLimits;
use crate::edge::proxy::Network;
use crate::edge::slots::{MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS};
use std::time::Duration;

/// The most bytes of a request line and its headers.
pub const MAX_HEAD_BYTES: usize = 16 << 10;
/// Most headers of a request: what the parser has room for.
pub const MAX_HEADERS: usize = 100;

/// How long a request's head may take from its first byte, and a new connection's first head from its beginning,
/// in milliseconds.
pub const HEAD_READ_MS: u64 = 5_000;

/// How long a connection may do nothing between two requests, or not take what is sent to it, in milliseconds.
pub const IDLE_MS: u64 = 60_000;

/// How long requests in flight have to finish when the server stops, in milliseconds: within O2's 10 s.
pub const DRAIN_MS: u64 = 8_000;

/// What the operator says about the edge.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server's names, with or without a port.
    pub hosts: Vec<String>,
    /// Origins that may call beside the console's own.
    pub origins: Vec<String>,
    /// The proxies in front.
    pub proxies: Vec<Network>,
    /// How requests arrive.
    pub scheme: Scheme,
    /// How large bodies may be.
    pub bodies: BodyLimits,
    /// Connections in all.
    pub max_connections: usize,
    /// Connections of one address outside loopback.
    pub max_connections_per_address: usize,
    /// See [`HEAD_READ_MS`].
    pub head_read: Duration,
    /// See [`IDLE_MS`].
    pub idle: Duration,
    /// See [`PACE_WINDOW_MS`].
    pub pace_window: Duration,
    /// See [`DRAIN_MS`].
    pub drain: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hosts: DEFAULT_NAMES.map(str::to_owned).to_vec(),
            origins: Vec::new(),
            proxies: Vec::new(),
            scheme: Scheme::Http,
            bodies: BodyLimits::default(),
            max_connections: MAX_CONNECTIONS,
            max_connections_per_address: MAX_CONNECTIONS_PER_ADDRESS,
            head_read: Duration::from_millis(HEAD_READ_MS),
            idle: Duration::from_millis(IDLE_MS),
            pace_window: Duration::from_millis(PACE_WINDOW_MS),
            drain: Duration::from_millis(DRAIN_MS),
        }
    }
}
