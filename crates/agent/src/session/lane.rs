//! Two lanes into one connection: what must not wait (heartbeats, answers), and what must keep its order (a log, and
//! the outcome behind it). One slow log holds up no heartbeat.

use std::time::Duration;
use tiltyard_client::Error;
use tiltyard_client::socket::{ABNORMAL_CLOSE, Sender};
use tiltyard_wire::frame::FromAgent;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Frames that may wait in the urgent lane: an answer for each slot, and then some.
const MAX_URGENT_FRAMES: usize = 4_096;
/// Frames that may wait in the orderly lane; with a log chunk each this is 1 MiB.
const MAX_ORDERLY_FRAMES: usize = 16;
/// How long one frame may take to be written.
const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// Both lanes. Cheap to clone; the connection is closed in order once all clones are gone.
#[derive(Debug, Clone)]
pub(super) struct Lanes {
    urgent: mpsc::Sender<FromAgent>,
    orderly: mpsc::Sender<FromAgent>,
}

/// The connection has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended;

/// The other end of both lanes.
#[derive(Debug)]
pub(super) struct Outlet {
    urgent: mpsc::Receiver<FromAgent>,
    orderly: mpsc::Receiver<FromAgent>,
}

/// Lanes and where they lead.
pub(super) fn lanes() -> (Lanes, Outlet) {
    let (urgent, urgent_out) = mpsc::channel(MAX_URGENT_FRAMES);
    let (orderly, orderly_out) = mpsc::channel(MAX_ORDERLY_FRAMES);
    (Lanes { urgent, orderly }, Outlet { urgent: urgent_out, orderly: orderly_out })
}

impl Lanes {
    /// Sends before everything that is orderly. A lane so full that this cannot be had is a dead connection.
    pub(super) fn urgent(&self, frame: FromAgent) -> Result<(), Ended> {
        self.urgent.try_send(frame).map_err(|_| Ended)
    }

    /// Sends behind everything that was sent so; waits while the connection is slow.
    pub(super) async fn orderly(&self, frame: FromAgent) -> Result<(), Ended> {
        self.orderly.send(frame).await.map_err(|_| Ended)
    }
}

impl Outlet {
    /// Writes until all lanes are gone, and then closes.
    ///
    /// # Errors
    /// The connection's, or that it takes no frame any more.
    pub(super) async fn write(mut self, mut sender: Sender<FromAgent>) -> Result<(), Error> {
        while let Some(frame) = self.next().await {
            match timeout(WRITE_LIMIT, sender.send(&frame)).await {
                Ok(Err(error @ Error::FrameTooLarge { .. })) => {
                    tracing::error!(target: "agent", %error, "a frame was left out");
                }
                Ok(sent) => sent?,
                Err(_) => return Err(dead("it took no frame for 30 s")),
            }
        }
        sender.close("the agent ends").await
    }

    async fn next(&mut self) -> Option<FromAgent> {
        tokio::select! {
            biased;
            Some(frame) = self.urgent.recv() => Some(frame),
            Some(frame) = self.orderly.recv() => Some(frame),
            else => None,
        }
    }
}

/// A connection that ended without a word.
pub(super) fn dead(reason: &str) -> Error {
    Error::Closed { code: ABNORMAL_CLOSE, reason: reason.to_owned() }
}
