//! What binds a stream or a socket: it ends with its token (SEC19), and with the server.

use crate::edge::stop::{Stage, Stop};
use tiltyard_engine::token::Tokens;
use tiltyard_model::id::Id;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Why a stream or a socket must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pull {
    /// Its token was revoked, rotated, or has expired; or its browser was signed out.
    Token,
    /// The server ends.
    Server,
}

/// Hears when it is over. `ADMIN_TOKEN` lives as long as the program.
pub(crate) struct Leash {
    held_by: HeldBy,
    ended: broadcast::Receiver<()>,
    stop: Stop,
}

/// What a stream was opened with.
pub(crate) struct HeldBy {
    /// The token.
    pub(crate) token: Option<Id>,
    /// The sign-in of the browser.
    pub(crate) sign_in: Option<i64>,
    /// Who knows whether they have ended.
    pub(crate) tokens: Tokens,
}

impl HeldBy {
    fn is_over(&self) -> bool {
        !self.tokens.holds(self.token, self.sign_in)
    }

    fn is_endless(&self) -> bool {
        self.token.is_none() && self.sign_in.is_none()
    }
}

impl Leash {
    /// Of a caller. The end is listened for before it is looked at, so that none falls between.
    pub(crate) fn new(held_by: HeldBy, ended: broadcast::Receiver<()>, stop: Stop) -> Self {
        Self { held_by, ended, stop }
    }

    /// Returns when it is over. May be dropped and called again.
    pub(crate) async fn pulled(&mut self) -> Pull {
        let Self { held_by, ended, stop } = self;
        tokio::select! {
            () = end_of(held_by, ended) => Pull::Token,
            _ = stop.clone().reached(Stage::Draining) => Pull::Server,
        }
    }
}

/// Returns when what holds it has ended. Whose end is told of does not matter: the table knows.
async fn end_of(held_by: &HeldBy, ended: &mut broadcast::Receiver<()>) {
    if held_by.is_endless() {
        return std::future::pending().await;
    }
    while !held_by.is_over() {
        if ended.recv().await == Err(RecvError::Closed) {
            return;
        }
    }
}
