//! One program on this host: started, listened to, ended for real.
//!
//! Every program has a parent of its own, the shim: this same binary, started again. The shim is the reaper
//! of everything the program ever forks, also of what fled with `setsid`, and it ends the whole tree when it
//! is told to, when the program has ended, and when its agent dies. "Ended" is not a hope: it is the kernel's
//! word that the shim has no children left.

mod attend;
pub mod environment;
pub(crate) mod frame;
mod lost;
pub(crate) mod tree;
mod user;

pub use frame::Hindrance;
pub use user::{BadUser, RunAs};

use crate::stop::{StopReason, StopSignal};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Longest standard input of a program in bytes.
pub const MAX_STDIN_BYTES: usize = 16 * 1024 * 1024;

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Run {
    /// A program and its arguments, given to the kernel as they are.
    Argv(Vec<String>),
    /// A text for `/bin/sh -c`.
    Shell(String),
}

impl Run {
    pub(crate) fn into_argv(self) -> Vec<String> {
        match self {
            Self::Argv(argv) => argv,
            Self::Shell(text) => vec!["/bin/sh".to_owned(), "-c".to_owned(), text],
        }
    }
}

/// A program and all it starts with.
#[derive(Debug, Clone)]
pub struct Program {
    /// What to run.
    pub run: Run,
    /// Its whole environment; begin with [`environment::inherited`].
    pub env: Vec<(String, String)>,
    /// Its working folder.
    pub cwd: PathBuf,
    /// Its standard input, at most [`MAX_STDIN_BYTES`]; then the end of file.
    pub stdin: Vec<u8>,
}

/// What the program must not have (C6).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Confinement {
    /// Folders that are hidden from it: data, configuration. Missing ones are no error.
    pub hide: Vec<PathBuf>,
    /// Folders inside hidden ones that it may use all the same: its own.
    pub open: Vec<PathBuf>,
    /// Run it as this user; only root can.
    pub user: Option<RunAs>,
    /// How folders are hidden.
    pub method: HidingMethod,
}

/// How folders are hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HidingMethod {
    /// Empty folders mounted over them where we may mount (root), with Landlock around it, so that the cover
    /// cannot be taken away; else Landlock alone.
    #[default]
    Strongest,
    /// Landlock alone, also where more could be had.
    LandlockOnly,
}

/// What was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hiding {
    /// Hidden folders are empty for the program and cannot be written to.
    Covered,
    /// Files in hidden folders cannot be read. Their names can be listed, and writing is not prevented.
    Unreadable,
    /// The kernel can neither; the program sees what its user sees.
    Visible,
    /// Nothing was to be hidden.
    NotAsked,
}

/// How long each step of an end may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graces {
    /// From TERM to KILL when the program is told to stop, in milliseconds.
    pub stop_ms: u64,
    /// From TERM to KILL for what a program leaves behind when it ends by itself, in milliseconds.
    pub leftover_ms: u64,
    /// From TERM to KILL when the agent has died, in milliseconds: its successor waits for it.
    pub orphan_ms: u64,
    /// From KILL until the end counts as unconfirmed, in milliseconds.
    pub confirm_ms: u64,
}

/// Grace of a program that is told to stop, in milliseconds.
pub const STOP_GRACE_MS: u64 = 10_000;
/// Grace of what a program leaves behind, in milliseconds.
pub const LEFTOVER_GRACE_MS: u64 = 2_000;
/// Grace of a program whose agent has died, in milliseconds.
pub const ORPHAN_GRACE_MS: u64 = 2_000;
/// From KILL to "unconfirmed", in milliseconds; with the grace before it this makes the 30 s of D4.
pub const CONFIRM_LIMIT_MS: u64 = 20_000;

impl Default for Graces {
    fn default() -> Self {
        Self {
            stop_ms: STOP_GRACE_MS,
            leftover_ms: LEFTOVER_GRACE_MS,
            orphan_ms: ORPHAN_GRACE_MS,
            confirm_ms: CONFIRM_LIMIT_MS,
        }
    }
}

/// One run: what, with what rights, for how long, and who may end it.
#[derive(Debug)]
pub struct Request {
    /// What to run.
    pub program: Program,
    /// What it must not have.
    pub confinement: Confinement,
    /// The longest it may take; `None` for as long as it likes.
    pub timeout: Option<Duration>,
    /// Ends it early.
    pub stop: StopSignal,
    /// How long each step of an end may take.
    pub graces: Graces,
    /// A file that stays locked for as long as anything of the tree lives, also when the agent does not.
    pub lock: Option<PathBuf>,
}

/// Which of its two voices the program used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Where output goes, piece by piece as it comes. A slow sink slows the program; nothing is buffered.
pub trait OutputSink: Send {
    /// Takes the next bytes of `voice`, at most 64 KiB.
    ///
    /// # Errors
    /// When they could not be kept. The program runs on, its further output is read and thrown away, and
    /// [`Ended::sink_error`] tells of it.
    fn write(&mut self, voice: Voice, bytes: &[u8]) -> io::Result<()>;
}

/// How a program itself ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// Why the run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The program ended.
    Finished,
    /// It took longer than it may.
    TimedOut,
    /// It was told to.
    Stopped(StopReason),
    /// The shim died (killed by somebody): what the program would have said is not known.
    ShimLost,
}

/// Whether everything that the program started has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Stop {
    /// Nothing of it is alive.
    Confirmed,
    /// Processes that outlived KILL and the limit, as far as known; ending them is still being tried.
    Unconfirmed {
        /// Their ids.
        pids: Vec<u32>,
    },
}

/// How a run went.
#[derive(Debug)]
pub struct Ended {
    /// Why it ended.
    pub cause: Cause,
    /// How the program itself ended, when that is known.
    pub exit: Option<Exit>,
    /// Whether all of it has ended.
    pub stop: Stop,
    /// How many processes it left behind, which then had to be ended.
    pub leftovers: u32,
    /// How far the folders were hidden.
    pub hiding: Hiding,
    /// The first error of the sink.
    pub sink_error: Option<io::Error>,
}

/// Why nothing was run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The program could not be started.
    #[error("{text}")]
    Refused {
        /// What kind of hindrance.
        hindrance: Hindrance,
        /// What happened and what to do.
        text: String,
    },
    /// Its standard input is too long.
    #[error("standard input is {0} bytes, more than {MAX_STDIN_BYTES}: put it into a file")]
    StdinTooLong(usize),
    /// The shim itself could not be started or spoken to.
    #[error("cannot start the shim {program}: {source}")]
    Shim {
        /// The binary that was tried.
        program: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Keeps other programs of this user from looking into the memory and the environment of this process, where
/// tokens are. For the agent's process, at its start; it then leaves no core dump either.
///
/// # Errors
/// When the kernel refuses.
pub fn hide_own_memory() -> io::Result<()> {
    Ok(rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?)
}

/// Starts programs, each under a shim of its own. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Launcher(Arc<Launching>);

#[derive(Debug)]
struct Launching {
    program: PathBuf,
    args: Vec<OsString>,
    shims: lost::Shims,
}

impl Launcher {
    /// A launcher that starts `program` with `args` as shim; it must call [`crate::shim::run_shim`] with what
    /// follows them. For `tiltyard` itself: its own path, and `exec-shim`.
    pub fn new(program: PathBuf, args: Vec<OsString>) -> Self {
        Self(Arc::new(Launching { program, args, shims: lost::Shims::default() }))
    }

    /// Makes this process the parent of processes whose shim dies, so that they can be found and ended. To be
    /// called once by the agent's process; without it the end of such processes counts as unconfirmed.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn adopt_orphans(&self) -> io::Result<()> {
        self.0.shims.adopt_orphans()
    }

    /// Runs one program to its end. Dropping the future ends the program too, unseen: the shim notices.
    ///
    /// # Errors
    /// [`StartError`] when nothing was run. What happens later is part of [`Ended`].
    pub async fn run(&self, request: Request, sink: &mut dyn OutputSink) -> Result<Ended, StartError> {
        attend::run(&self.0, request, sink).await
    }
}
