//! The shim: the parent of one program, a process of its own.
//!
//! It outlives its agent by exactly as long as it takes to end the program, holds the lock that tells a new
//! agent so, and is the reaper of every process below it. It keeps nothing on disk and opens no connection.

mod cover;
mod fence;
mod guard;
mod launch;

use crate::process::frame::{self, Errand, Report, SHIM_PROTOCOL};
use crate::process::{Hindrance, MAX_STDIN_BYTES};
use rustix::process::{DumpableBehavior, getpid, set_child_subreaper, set_dumpable_behavior, setsid};
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

/// Exit code of a shim that could not do its work; it has said why on standard error, and run
/// nothing.
pub(crate) const EXIT_BROKEN: u8 = 70;

/// The whole life of a shim; what `tiltyard exec-shim` calls. `args` are those after the subcommand, its
/// standard input is a socket of the agent. Not for people: without an agent it refuses.
pub fn run_shim(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match live(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If even standard error is gone, the exit code has to do.
            let _ = writeln!(io::stderr(), "exec-shim: {error}");
            ExitCode::from(EXIT_BROKEN)
        }
    }
}

fn live(args: impl IntoIterator<Item = OsString>) -> io::Result<()> {
    if args.into_iter().next().as_deref() != Some(SHIM_PROTOCOL.as_ref()) {
        let text = "it speaks another version than its agent: the binary was replaced; restart the agent";
        return Err(io::Error::other(text));
    }
    let socket = own_socket()?;
    // A leader already (started by hand with setsid): that serves as well.
    let _ = setsid();
    set_child_subreaper(Some(getpid()))?;
    // Its memory is nobody's business, least of all the program's.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(socket))
}

fn own_socket() -> io::Result<std::os::unix::net::UnixStream> {
    let socket = std::os::unix::net::UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    socket
        .peer_addr()
        .map_err(|_| io::Error::other("standard input is no socket: only an agent starts this"))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

async fn serve(socket: std::os::unix::net::UnixStream) -> io::Result<()> {
    let (mut orders, mut reports) = UnixStream::from_std(socket)?.into_split();
    let Some(mut errand) = frame::receive::<_, Errand>(&mut orders).await? else { return Ok(()) };
    let mut stdin = vec![0; errand.stdin_bytes.min(MAX_STDIN_BYTES)];
    orders.read_exact(&mut stdin).await?;
    // Before the program starts: a child's death must not fall between.
    let guard = guard::Guard::new(errand.graces)?;
    let held = match errand.lock.take().map(|path| hold(&path)).transpose() {
        Ok(held) => held,
        Err(text) => return refuse(&mut reports, Hindrance::StillHeld, text).await,
    };
    match launch::launch(errand, stdin) {
        Ok(launched) => {
            // An agent that cannot be told is dead; the guard notices.
            frame::send(&mut reports, &Report::Started { pid: launched.pid, hiding: launched.hiding })
                .await
                .ok();
            guard.watch(launched.pid, (orders, reports)).await?;
        }
        Err(obstacle) => refuse(&mut reports, obstacle.hindrance, obstacle.text).await?,
    }
    drop(held);
    Ok(())
}

async fn refuse<W>(reports: &mut W, hindrance: Hindrance, text: String) -> io::Result<()>
where
    W: tokio::io::AsyncWrite + Unpin,
{
    frame::send(reports, &Report::Refused { hindrance, text }).await
}

/// Locks the attempt's file until this process ends.
fn hold(path: &Path) -> Result<File, String> {
    let said = |error: io::Error| format!("cannot lock {}: {error}", path.display());
    let file = OpenOptions::new().create(true).append(true).open(path).map_err(said)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(format!("{} is still held: an earlier program of this folder has not ended", path.display()))
        }
        Err(TryLockError::Error(error)) => Err(said(error)),
    }
}
