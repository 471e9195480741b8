//! A disk that fails on command: `fault.c`, built here and preloaded into the server, and the page of words by which
//! both talk. What is shared is a file that the library has mapped, so a word takes effect at once.

use crate::server::Yard;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;

/// The words of the page, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
enum Place {
    Sync,
    SyncOn,
    DelayUs,
    Quota,
    QuotaOn,
    Failed,
    Full,
    Syncs,
}

/// What an fsync does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Sync {
    /// What it says.
    True,
    /// It fails with EIO.
    Fails,
    /// It says that it did, and did not.
    Lies,
    /// It finds the disk full as long as the reserve takes its room.
    FullBesideReserve,
    /// It finds the disk full.
    Full,
}

/// Which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum On {
    /// Whichever.
    Any,
    /// The write-ahead log.
    Log,
    /// The database.
    Database,
}

/// Bytes of the page.
const PAGE_BYTES: u64 = 4_096;
/// The pause of a loop that looks at a word.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// Bounds the failure of a fault that never happens.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The disk under a yard.
pub(crate) struct Disk {
    library: PathBuf,
    page: File,
    page_path: PathBuf,
    shadow: PathBuf,
}

impl Disk {
    /// Builds the library; nothing fails yet.
    pub(crate) fn under(yard: &Yard) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chaos/fault.c");
        let (library, page_path, shadow) =
            (yard.beside("fault.so"), yard.beside("page"), yard.beside("shadow"));
        let mut build = std::process::Command::new("cc");
        build.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(source).args(["-ldl", "-lpthread"]);
        let built = build.output().expect("cc is there: the bundled SQLite needs it too");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        std::fs::create_dir_all(&shadow).expect("a folder");
        let page = File::options().read(true).write(true).create(true).truncate(true).open(&page_path);
        let page = page.expect("a file");
        page.set_len(PAGE_BYTES).expect("the disk has room for a page");
        Self { library, page, page_path, shadow }
    }

    /// The command that runs a server on it.
    pub(crate) fn command(&self, yard: &Yard) -> Command {
        let mut command = yard.command();
        command.env("LD_PRELOAD", &self.library).env("CHAOS_DATA", yard.data());
        command.env("CHAOS_CONTROL", &self.page_path).env("CHAOS_SHADOW", &self.shadow);
        command
    }

    /// What a power cut would leave.
    pub(crate) fn shadow(&self) -> &Path {
        &self.shadow
    }

    fn set(&self, place: Place, word: u64) {
        self.page.write_all_at(&word.to_ne_bytes(), place as u64 * 8).expect("the page takes a word");
    }

    fn get(&self, place: Place) -> u64 {
        let mut word = [0; 8];
        self.page.read_exact_at(&mut word, place as u64 * 8).expect("the page has words");
        u64::from_ne_bytes(word)
    }

    /// What every fsync of a file does from here on.
    pub(crate) fn sync(&self, sync: Sync, on: On) {
        self.set(Place::SyncOn, on as u64);
        self.set(Place::Sync, sync as u64);
    }

    /// How long every fsync takes besides.
    pub(crate) fn slow(&self, delay: Duration) {
        self.set(Place::DelayUs, u64::try_from(delay.as_micros()).expect("it is short"));
    }

    /// The folder may hold so many bytes.
    pub(crate) fn quota(&self, bytes: u64) {
        self.set(Place::QuotaOn, On::Any as u64);
        self.set(Place::Quota, bytes);
    }

    /// There is room for nothing in a file, not even in place of what is there, as on disks that write elsewhere first.
    pub(crate) fn no_room(&self, on: On) {
        self.set(Place::QuotaOn, on as u64);
        self.set(Place::Quota, 1);
    }

    /// There is room without end.
    pub(crate) fn room(&self) {
        self.set(Place::Quota, 0);
    }

    /// How many fsyncs failed or lied.
    pub(crate) fn failed(&self) -> u64 {
        self.get(Place::Failed)
    }

    /// How many writes found the disk full.
    pub(crate) fn full(&self) -> u64 {
        self.get(Place::Full)
    }

    /// How many fsyncs the log had.
    pub(crate) fn syncs(&self) -> u64 {
        self.get(Place::Syncs)
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let wait = tokio::time::timeout(MAX_WAIT, async {
        while !is_so() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    });
    wait.await.unwrap_or_else(|_| panic!("it never happened: {what}"));
}
