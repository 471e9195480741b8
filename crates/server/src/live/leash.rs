//! What binds a stream or a socket to its token (SEC19): it ends when the token does.

use tiltyard_engine::token::Tokens;
use tiltyard_model::id::Id;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Hears when a token ends. `ADMIN_TOKEN` lives as long as the program.
pub(crate) struct Leash {
    token: Option<Id>,
    ended: broadcast::Receiver<Id>,
    tokens: Tokens,
}

impl Leash {
    /// Of a token. It was heard of before it is looked at, so that no end falls between.
    pub(crate) fn new(token: Option<Id>, ended: broadcast::Receiver<Id>, tokens: Tokens) -> Self {
        Self { token, ended, tokens }
    }

    /// Returns when the token has ended. May be dropped and called again.
    pub(crate) async fn ended(&mut self) {
        let Some(own) = self.token else { return std::future::pending().await };
        while self.tokens.is_live(own) {
            match self.ended.recv().await {
                Ok(token) if token == own => return,
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }
}
