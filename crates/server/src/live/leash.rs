//! What binds a stream or a socket: it ends with its token (SEC19), and with the server.

use crate::edge::stop::{Stage, Stop};
use tiltyard_engine::token::Tokens;
use tiltyard_model::id::Id;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Why a stream or a socket must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pull {
    /// Its token was revoked, rotated, or has expired.
    Token,
    /// The server ends.
    Server,
}

/// Hears when it is over. `ADMIN_TOKEN` lives as long as the program.
pub(crate) struct Leash {
    token: Option<Id>,
    ended: broadcast::Receiver<Id>,
    tokens: Tokens,
    stop: Stop,
}

impl Leash {
    /// Of a token. Its end is listened for before it is looked at, so that none falls between.
    pub(crate) fn new(token: Option<Id>, ended: broadcast::Receiver<Id>, tokens: Tokens, stop: Stop) -> Self {
        Self { token, ended, tokens, stop }
    }

    /// Returns when it is over. May be dropped and called again.
    pub(crate) async fn pulled(&mut self) -> Pull {
        let Self { token, ended, tokens, stop } = self;
        tokio::select! {
            () = end_of(*token, ended, tokens) => Pull::Token,
            _ = stop.clone().reached(Stage::Draining) => Pull::Server,
        }
    }
}

/// Returns when a token has ended. Whoever hears too little of the ends asks the table.
async fn end_of(token: Option<Id>, ended: &mut broadcast::Receiver<Id>, tokens: &Tokens) {
    let Some(own) = token else { return std::future::pending().await };
    while tokens.is_live(own) {
        match ended.recv().await {
            Ok(token) if token == own => return,
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}
