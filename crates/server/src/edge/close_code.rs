//! Refusals of WebSockets (API23): a browser cannot read the status of a refused upgrade, so the upgrade is
//! completed and the socket closed with a code, before anything is read from it.

use axum::extract::FromRequestParts;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use http::request::Parts;
use std::time::Duration;
use tiltyard_model::refusal::{Kind, Refusal};

/// How long the other side may take to agree to the close, in milliseconds.
pub const CLOSE_WAIT_MS: u64 = 1_000;

/// The most bytes of a close frame's reason (RFC 6455 5.5: 125 with the code).
const MAX_REASON_BYTES: usize = 123;

/// The close code of a refusal; `None` where it stays an HTTP answer.
pub const fn of(kind: Kind) -> Option<u16> {
    match kind {
        Kind::Unauthenticated => Some(4401),
        Kind::Denied => Some(4403),
        Kind::Missing => Some(4404),
        Kind::Gone => Some(4410),
        Kind::Invalid => Some(4422),
        _ => None,
    }
}

/// Completes the upgrade and closes it with the refusal's code.
///
/// # Errors
/// The refusal itself, where it has no close code or the request is no upgrade.
pub async fn refuse(mut parts: Parts, refusal: Refusal) -> Result<Response, Refusal> {
    let Some(code) = of(refusal.kind()) else { return Err(refusal) };
    let Ok(upgrade) = WebSocketUpgrade::from_request_parts(&mut parts, &()).await else {
        return Err(refusal);
    };
    let frame = CloseFrame { code, reason: reason(&refusal).into() };
    Ok(upgrade.on_upgrade(|socket| close(socket, frame)))
}

fn reason(refusal: &Refusal) -> String {
    let said = format!("{}: {}", refusal.code.as_str(), refusal.message);
    said[..said.floor_char_boundary(MAX_REASON_BYTES)].to_owned()
}

/// Says goodbye and waits a little, so that the frame arrives before the connection ends.
async fn close(mut socket: WebSocket, frame: CloseFrame) {
    let goodbye = async {
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(message)) = socket.recv().await {
                if matches!(message, Message::Close(_)) {
                    break;
                }
            }
        }
    };
    if tokio::time::timeout(Duration::from_millis(CLOSE_WAIT_MS), goodbye).await.is_err() {
        tracing::debug!(target: "api", "a refused socket did not agree to its close");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiltyard_model::refusal::Code;

    #[test]
    fn a_reason_fits_its_frame() {
        let refusal = Refusal::new(Code::Unauthenticated, "ü".repeat(200));
        assert!(
            reason(&refusal).len() <= MAX_REASON_BYTES && reason(&refusal).starts_with("unauthenticated: ü")
        );
    }
}
