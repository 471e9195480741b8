//! What an agent and its shim say to each other over their socket: a length, then JSON.
//!
//! The agent sends one [`Errand`], the bytes for the program's standard input, then orders; the shim
//! answers with reports. The end of the stream is a word of its own: to the shim "your agent is dead", to the
//! agent "your shim is dead".

use super::{Confinement, Exit, Graces, Hiding};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Version of these sentences; a shim of another version refuses to start.
pub(crate) const SHIM_PROTOCOL: &str = "1";
/// Longest frame in bytes: an argv and an environment, with room (the kernel's own limit is 2 MiB).
pub(crate) const MAX_FRAME_BYTES: usize = 8 * 1024 * 1024;

/// What the shim is to do. Its environment is not the program's: a variable meant for the program
/// (`LD_PRELOAD`) must have no power over the shim.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Errand {
    pub(crate) argv: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) cwd: PathBuf,
    /// Held with an exclusive lock for as long as anything of the tree lives.
    pub(crate) lock: Option<PathBuf>,
    pub(crate) stdin_bytes: usize,
    pub(crate) confinement: Confinement,
    pub(crate) graces: Graces,
}

/// From the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// End the tree: TERM, the grace, KILL.
    Stop,
}

/// Why the program did not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hindrance {
    /// No such program.
    MissingProgram,
    /// It is there, but may not be executed.
    NotExecutable,
    /// The working folder is missing or closed.
    BadFolder,
    /// The program could not be given the rights it should have.
    Confinement,
    /// The folder of the attempt is still held by an earlier program.
    StillHeld,
    /// Anything else; the text says what.
    Other,
}

/// From the shim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    /// The program runs.
    Started { pid: u32, hiding: Hiding },
    /// The program could not be started; nothing was left behind.
    Refused { hindrance: Hindrance, text: String },
    /// The program itself ended; what it left behind is being ended.
    Exited(Exit),
    /// Processes that KILL has not ended within the limit. The shim goes on trying.
    Surviving { pids: Vec<u32> },
    /// Nothing of the tree is alive: the kernel says that the shim has no children.
    Gone { leftovers: u32 },
}

/// Writes one frame.
pub(crate) async fn send<W, T>(stream: &mut W, frame: &T) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
    T: Serialize,
{
    let body = serde_json::to_vec(frame)?;
    if body.len() > MAX_FRAME_BYTES {
        let text = format!("argv and environment are {} bytes, more than {MAX_FRAME_BYTES}", body.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(&body).await
}

/// Reads one frame; `None` when the other side has closed between frames. Not safe to cancel midway.
pub(crate) async fn receive<R, T>(stream: &mut R) -> io::Result<Option<T>>
where
    R: AsyncRead + Unpin,
    T: DeserializeOwned,
{
    let mut length = [0; 4];
    match stream.read_exact(&mut length).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_FRAME_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes")));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(serde_json::from_slice(&body)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_survive_the_round_trip_and_a_lie_about_the_length_is_refused() {
        let mut bytes = Vec::new();
        send(&mut bytes, &Order::Stop).await.expect("writes to memory");
        let mut source = bytes.as_slice();
        assert_eq!(receive::<_, Order>(&mut source).await.expect("is a frame"), Some(Order::Stop));
        assert_eq!(receive::<_, Order>(&mut source).await.expect("is the end"), None);
        assert!(receive::<_, Order>(&mut [0xff; 4].as_slice()).await.is_err());
        assert!(receive::<_, Order>(&mut [0, 0, 0, 9, b'"'].as_slice()).await.is_err());
    }
}
