//! The agent's side of a run: starts the shim, hands it the errand, listens until the end.

use super::frame::{self, Errand, Order, Report, SHIM_PROTOCOL};
use super::{
    Cause, Ended, Exit, Graces, Hiding, Launching, MAX_STDIN_BYTES, OutputSink, Request, StartError, Stop,
    Voice,
};
use crate::shim::EXIT_BROKEN;
use crate::stop::StopSignal;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

/// Bytes taken from a pipe at once.
const READ_BYTES: usize = 64 * 1024;
/// Reports in flight between the socket and the loop.
const MAX_QUEUED_REPORTS: usize = 8;
/// How long output is awaited after the end of everything that could write it, in milliseconds: only a
/// process outside the tree that was handed the pipe can still hold it.
const DRAIN_LIMIT_MS: u64 = 2_000;
/// How much later than the shim the agent loses patience with an end, in milliseconds.
const SHIM_SLACK_MS: u64 = 2_000;
/// How long a shim may take to start its program, in milliseconds.
const START_LIMIT_MS: u64 = 30_000;
/// Longest complaint of a shim in bytes.
const MAX_COMPLAINT_BYTES: u64 = 4_096;
/// A moment that does not come: about thirty years.
const NEVER: Duration = Duration::from_secs(1_000_000_000);

pub(super) async fn run(
    launching: &Arc<Launching>,
    request: Request,
    sink: &mut dyn OutputSink,
) -> Result<Ended, StartError> {
    if request.program.stdin.len() > MAX_STDIN_BYTES {
        return Err(StartError::StdinTooLong(request.program.stdin.len()));
    }
    let broken = |source| StartError::Shim { program: launching.program.display().to_string(), source };
    let (mut shim, socket) = Shim::start(launching).map_err(broken)?;
    let Request { program, confinement, timeout, stop, graces, lock } = request;
    let errand = Errand {
        argv: program.run.into_argv(),
        env: program.env,
        cwd: program.cwd,
        lock,
        stdin_bytes: program.stdin.len(),
        confinement,
        graces,
    };
    let (mut reports, mut orders) = socket.into_split();
    let limit = Duration::from_millis(START_LIMIT_MS);
    let answer =
        tokio::time::timeout(limit, hand_over((&mut reports, &mut orders), &errand, &program.stdin)).await;
    let pipes = shim.pipes();
    match answer {
        Ok(Ok(Some(Report::Started { hiding, .. }))) => {
            let mut attendant = Attendant::new(&mut shim, sink, (orders, pipes));
            attendant.attend(reports, stop, (timeout, graces)).await;
            Ok(attendant.farewell(hiding, graces).await)
        }
        Ok(Ok(Some(Report::Refused { hindrance, text }))) => Err(StartError::Refused { hindrance, text }),
        // Too long: nothing was sent.
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidInput => Err(broken(error)),
        _ if shim.end().await == Some(EXIT_BROKEN) => Err(broken(complaint(pipes.1).await)),
        // Killed, or without an answer for too long. The program may have begun: that is no "nothing was run".
        _ => {
            let mut attendant = Attendant::new(&mut shim, sink, (orders, pipes));
            attendant.cause = Some(Cause::ShimLost);
            Ok(attendant.farewell(Hiding::NotAsked, graces).await)
        }
    }
}

async fn hand_over(
    (reports, orders): (&mut OwnedReadHalf, &mut OwnedWriteHalf),
    errand: &Errand,
    stdin: &[u8],
) -> io::Result<Option<Report>> {
    frame::send(orders, errand).await?;
    orders.write_all(stdin).await?;
    frame::receive(reports).await
}

/// A shim's process. It stays known to the launcher until it is dead, also when nobody waits any more.
struct Shim {
    launching: Arc<Launching>,
    child: Option<Child>,
}

impl Shim {
    fn start(launching: &Arc<Launching>) -> io::Result<(Self, UnixStream)> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = Command::new(&launching.program);
        command.args(&launching.args).arg(SHIM_PROTOCOL).env_clear().current_dir("/");
        command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = launching.shims.start(|| command.spawn())?;
        Ok((Self { launching: Arc::clone(launching), child: Some(child) }, UnixStream::from_std(ours)?))
    }

    fn pipes(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        self.child.as_mut().map_or((None, None), |child| (child.stdout.take(), child.stderr.take()))
    }

    /// Waits for a shim that is ending, and kills one that is not; its exit code, if it had one.
    async fn end(&mut self) -> Option<u8> {
        let mut child = self.child.take()?;
        let pid = child.id();
        let ended = match timeout(Duration::from_millis(DRAIN_LIMIT_MS), child.wait()).await {
            Ok(ended) => ended,
            Err(_) => {
                // It may be dead already: then there is nothing to kill.
                let _ = child.start_kill();
                child.wait().await
            }
        };
        pid.iter().for_each(|pid| self.launching.shims.forget(*pid));
        ended.ok()?.code().and_then(|code| u8::try_from(code).ok())
    }

    /// Makes sure that the shim is dead and buried.
    async fn bury(&mut self) {
        if let Some(mut child) = self.child.take() {
            let pid = child.id();
            // It may be dead already: then there is nothing to kill.
            let _ = child.start_kill();
            let _ = child.wait().await;
            pid.iter().for_each(|pid| self.launching.shims.forget(*pid));
        }
    }
}

/// What a shim that said nothing on its socket said on its standard error.
async fn complaint(stderr: Option<ChildStderr>) -> io::Error {
    let mut said = Vec::new();
    if let Some(stderr) = stderr {
        let mut stderr = stderr.take(MAX_COMPLAINT_BYTES);
        // Whatever came until the limit is all there is to tell.
        let _ = timeout(Duration::from_millis(DRAIN_LIMIT_MS), stderr.read_to_end(&mut said)).await;
    }
    let said = String::from_utf8_lossy(&said);
    let said = if said.trim().is_empty() { "it ended without a word" } else { said.trim() };
    io::Error::other(said.to_owned())
}

impl Drop for Shim {
    fn drop(&mut self) {
        let (Some(mut child), Ok(runtime)) = (self.child.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let launching = Arc::clone(&self.launching);
        runtime.spawn(async move {
            let pid = child.id();
            // Only its end matters here; how it ended went to nobody who is left.
            let _ = child.wait().await;
            pid.iter().for_each(|pid| launching.shims.forget(*pid));
        });
    }
}

/// How the agent speaks to the shim, and the program to the agent.
type Voices = (OwnedWriteHalf, (Option<ChildStdout>, Option<ChildStderr>));

struct Attendant<'a> {
    shim: &'a mut Shim,
    sink: &'a mut dyn OutputSink,
    orders: OwnedWriteHalf,
    out: Pipe<ChildStdout>,
    err: Pipe<ChildStderr>,
    cause: Option<Cause>,
    exit: Option<Exit>,
    stop: Option<Stop>,
    leftovers: u32,
    sink_error: Option<io::Error>,
}

impl<'a> Attendant<'a> {
    fn new(shim: &'a mut Shim, sink: &'a mut dyn OutputSink, (orders, (out, err)): Voices) -> Self {
        let (out, err) = (Pipe::new(out), Pipe::new(err));
        Self {
            shim,
            sink,
            orders,
            out,
            err,
            cause: None,
            exit: None,
            stop: None,
            leftovers: 0,
            sink_error: None,
        }
    }

    /// Listens until the tree has ended, its end counts as unconfirmed, or the shim is lost.
    async fn attend(
        &mut self,
        reports: OwnedReadHalf,
        mut stop: StopSignal,
        (limit, graces): (Option<Duration>, Graces),
    ) {
        let mut reports = listen(reports);
        let late = Instant::now() + limit.unwrap_or(NEVER);
        let mut give_up = Instant::now() + NEVER;
        while self.stop.is_none() {
            let undecided = self.cause.is_none();
            let cause = tokio::select! {
                count = self.out.read() => { self.pass(Voice::Out, count); None }
                count = self.err.read() => { self.pass(Voice::Err, count); None }
                report = reports.recv() => match report {
                    Some(report) => self.note(report),
                    None => { self.cause.get_or_insert(Cause::ShimLost); return; }
                },
                reason = stop.stopped(), if undecided => Some(Cause::Stopped(reason)),
                () = sleep_until(late), if undecided => Some(Cause::TimedOut),
                () = sleep_until(give_up) => { self.stop = Some(Stop::Unconfirmed { pids: Vec::new() }); None }
            };
            if let Some(cause) = cause {
                self.cause = Some(cause);
                give_up = Instant::now()
                    + Duration::from_millis(graces.stop_ms + graces.confirm_ms + SHIM_SLACK_MS);
                if cause != Cause::Finished {
                    // A shim that cannot be told has died; the end of its reports says so.
                    let _ = frame::send(&mut self.orders, &Order::Stop).await;
                }
            }
        }
    }

    /// Takes a report; a cause when it is the first sign of the end.
    fn note(&mut self, report: Report) -> Option<Cause> {
        match report {
            Report::Exited(exit) => {
                self.exit = Some(exit);
                return self.cause.is_none().then_some(Cause::Finished);
            }
            Report::Gone { leftovers } => {
                self.leftovers = leftovers;
                self.stop = Some(Stop::Confirmed);
            }
            Report::Surviving { pids } => self.stop = Some(Stop::Unconfirmed { pids }),
            Report::Started { .. } | Report::Refused { .. } => {}
        }
        None
    }

    fn pass(&mut self, voice: Voice, count: usize) {
        let bytes = match voice {
            Voice::Out => &self.out.buffer[..count],
            Voice::Err => &self.err.buffer[..count],
        };
        if count > 0 && self.sink_error.is_none() {
            self.sink_error = self.sink.write(voice, bytes).err();
        }
    }

    /// Takes what is left in the pipes, and makes sure of the end where the shim could not.
    async fn farewell(mut self, hiding: Hiding, graces: Graces) -> Ended {
        if self.stop.is_none() {
            self.shim.bury().await;
            let limit = Duration::from_millis(graces.confirm_ms);
            let left = self.shim.launching.shims.sweep(limit).await;
            self.stop = Some(match left {
                Some(pids) if pids.is_empty() => Stop::Confirmed,
                left => Stop::Unconfirmed { pids: left.unwrap_or_default() },
            });
        }
        // What a stranger still holds open after the limit is not this program's output any more.
        let _ = timeout(Duration::from_millis(DRAIN_LIMIT_MS), self.drain()).await;
        if self.stop == Some(Stop::Confirmed) {
            self.shim.bury().await;
        }
        self.shim.launching.shims.bury_dead();
        Ended {
            cause: self.cause.unwrap_or(Cause::Finished),
            exit: self.exit,
            stop: self.stop.unwrap_or(Stop::Unconfirmed { pids: Vec::new() }),
            leftovers: self.leftovers,
            hiding,
            sink_error: self.sink_error,
        }
    }

    async fn drain(&mut self) {
        while !self.out.ended || !self.err.ended {
            tokio::select! {
                count = self.out.read() => self.pass(Voice::Out, count),
                count = self.err.read() => self.pass(Voice::Err, count),
            }
        }
    }
}

/// Reports come through a task of their own, because half a frame must not be lost to a `select!`.
fn listen(mut reports: OwnedReadHalf) -> mpsc::Receiver<Report> {
    let (sender, receiver) = mpsc::channel(MAX_QUEUED_REPORTS);
    tokio::spawn(async move {
        // A broken stream is as good as a closed one: either way the shim speaks no more.
        while let Ok(Some(report)) = frame::receive(&mut reports).await {
            if sender.send(report).await.is_err() {
                return;
            }
        }
    });
    receiver
}

/// One of the program's two pipes.
struct Pipe<R> {
    source: Option<R>,
    buffer: Vec<u8>,
    ended: bool,
}

impl<R: AsyncRead + Unpin> Pipe<R> {
    fn new(source: Option<R>) -> Self {
        Self { ended: source.is_none(), source, buffer: vec![0; READ_BYTES] }
    }

    /// Reads into the buffer and says how much; never comes back once the pipe has ended.
    async fn read(&mut self) -> usize {
        let Some(source) = self.source.as_mut() else { return std::future::pending().await };
        match source.read(&mut self.buffer).await {
            Ok(count) if count > 0 => count,
            // An error of a pipe is its end: nobody can write to it any more.
            _ => {
                (self.source, self.ended) = (None, true);
                0
            }
        }
    }
}
