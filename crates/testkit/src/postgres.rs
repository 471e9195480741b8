//! A throwaway PostgreSQL: a real server of the installed package, in a temporary folder, stopped and removed when it is
//! dropped or its process ends, however that ends.

mod program;
mod standby;

pub use program::program;

use anyhow::{Context, bail};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// How long the server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause of a loop that looks at a file of the server's, which tells nobody when it changes.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How often a start is tried again: another program may take the port first.
const TRIES: usize = 5;
/// The user of every database; it may do everything.
pub(crate) const USER: &str = "tiltyard";
/// Starts the server, and ends it and its folder when the other end of its own input is closed.
const GUARD: &str = r#"folder=$1; shift
"$@" >"$folder/log" 2>&1 & server=$!
read -r _
kill -QUIT "$server" 2>/dev/null
wait "$server"
rm -rf "$folder""#;
/// The same for the server that processes share: it ends when nobody has had the lock for a few seconds. Whoever comes
/// meanwhile waits for the lock, and then starts another.
const SHARED_GUARD: &str = r#"folder=$1; shift
"$@" >"$folder/log" 2>&1 & server=$!
while :; do
  sleep 5
  exec 9>>"$folder.lock"
  flock -x -w 600 9 || continue
  exec 9>&-
  sleep 5
  exec 9>>"$folder.lock"
  if flock -x -n 9; then break; fi
  exec 9>&-
done
kill -QUIT "$server" 2>/dev/null
wait "$server"
rm -rf "$folder""#;

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// A power cut, as in production.
    On,
    /// The death of its processes only: quicker.
    Off,
}

/// A server with its databases.
pub struct Cluster {
    folder: PathBuf,
    port: u16,
    /// Whose end is the server's, unless it is shared.
    guard: Option<Child>,
    /// Held while this process uses a shared one.
    _in_use: Option<File>,
}

/// An empty database; it goes with this value.
pub struct Database {
    /// Its address, by the socket file.
    pub url: String,
    name: String,
    port: u16,
    folder: PathBuf,
}

impl Cluster {
    /// The one that all tests of this machine share, started by the first and ended a few seconds after the last.
    ///
    /// # Panics
    /// When no server is installed, or it does not start: a test that needs it cannot be passed over.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::join().expect("PostgreSQL starts; `cargo xtask test` installs it"))
    }

    fn join() -> anyhow::Result<Self> {
        let owner = Owner::find()?;
        let name = format!("tiltyard-pg-shared-{}{}", owner.user(), program::chosen_suffix());
        let folder = std::env::temp_dir().join(name);
        let lock = |name: &str| File::options().create(true).append(true).open(folder.with_extension(name));
        let (in_use, starting) = (lock("lock")?, lock("start")?);
        owner.give(&folder.with_extension("lock"))?;
        in_use.lock_shared()?;
        starting.lock()?;
        let mut cluster = Self { folder, port: 0, guard: None, _in_use: Some(in_use) };
        if cluster.ready_port().is_none() {
            if cluster.folder.exists() {
                fs::remove_dir_all(&cluster.folder).context("what a killed server has left")?;
            }
            fs::create_dir(&cluster.folder)?;
            cluster.launch(&owner, Sync::Off, &["max_connections=200"], SHARED_GUARD)?;
            // It ends by itself.
            cluster.guard = None;
        }
        cluster.port = cluster.ready_port().context("it has just been there")?;
        Ok(cluster)
    }

    /// The port of a shared server that runs.
    fn ready_port(&self) -> Option<u16> {
        let said = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        let runs = Path::new("/proc").join(said.lines().next()?.trim()).exists();
        let ready = said.lines().nth(7).is_some_and(|line| line.trim() == "ready");
        said.lines().nth(3)?.trim().parse().ok().filter(|_| runs && ready)
    }

    /// Starts one for a test that stops it, or needs settings of its own (`name=value`).
    ///
    /// # Errors
    /// When no server is installed, or it does not start.
    pub fn start(sync: Sync, settings: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("tiltyard-pg-").tempdir().context("a folder")?.keep();
        let mut cluster = Self { folder, port: 0, guard: None, _in_use: None };
        cluster.launch(&Owner::find()?, sync, settings, GUARD)?;
        Ok(cluster)
    }

    fn launch(&mut self, owner: &Owner, sync: Sync, settings: &[&str], guard: &str) -> anyhow::Result<()> {
        owner.give(&self.folder)?;
        owner.run(Command::new("cp").arg("-a").arg(template(owner)?).arg(self.data()))?;
        let mut tries = TRIES;
        loop {
            tries -= 1;
            self.port = TcpListener::bind("127.0.0.1:0").context("a port")?.local_addr()?.port();
            self.guard = Some(self.spawn(owner, sync, settings, guard)?);
            match self.wait_until_ready() {
                Err(error) if tries > 0 && error.to_string().contains("Address already in use") => {}
                ended => return ended,
            }
        }
    }

    fn spawn(&self, owner: &Owner, sync: Sync, settings: &[&str], guard: &str) -> anyhow::Result<Child> {
        let mut command = owner.command("sh");
        command.args(["-c", guard, "guard"]).arg(&self.folder).arg(program("postgres")?);
        command.arg("-D").arg(self.data()).arg("-k").arg(&self.folder).arg("-p").arg(self.port.to_string());
        let fsync = if sync == Sync::On { "fsync=on" } else { "fsync=off" };
        for setting in [fsync, "listen_addresses=127.0.0.1", "shared_buffers=64MB"].iter().chain(settings) {
            command.arg("-c").arg(setting);
        }
        // A group of its own: who ends this process's group must not end it under others.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().context("starting PostgreSQL")
    }

    /// The server writes into its own file that it is ready.
    fn wait_until_ready(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let said = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
            if said.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                return Ok(());
            }
            let log = self.log();
            if log.contains("FATAL") {
                bail!("PostgreSQL did not start:\n{log}");
            }
            std::thread::sleep(LOOK_EVERY);
        }
        bail!("PostgreSQL did not start in {PATIENCE:?}:\n{}", self.log())
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn database(&self) -> anyhow::Result<Database> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (url, port, folder) = (self.url(&name), self.port, self.folder.clone());
        let database = Database { url, name, port, folder };
        database.tell("createdb", &[])?;
        Ok(database)
    }

    /// The address of a database, by the socket file.
    pub fn url(&self, database: &str) -> String {
        let host = self.folder.to_string_lossy().replace('/', "%2F");
        format!("postgres://{USER}@{host}:{}/{database}", self.port)
    }

    /// The address of a database, by TCP.
    pub fn tcp_url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Lets everybody in from a network; it must listen there.
    ///
    /// # Errors
    /// When its rules cannot be written.
    pub fn let_in(&self, network: &str) -> anyhow::Result<()> {
        let mut rules = File::options().append(true).open(self.data().join("pg_hba.conf"))?;
        writeln!(rules, "host all all {network} trust")?;
        self.ask("postgres", "SELECT pg_reload_conf()").map(drop)
    }

    /// Makes a file in its folder its own.
    ///
    /// # Errors
    /// When that is not allowed.
    pub fn give(&self, file: &Path) -> anyhow::Result<()> {
        Owner::find()?.give(file)
    }

    /// What it has written into its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// The process of the server, whose end is the end of all its sessions.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pid(&self) -> anyhow::Result<u32> {
        let said = fs::read_to_string(self.data().join("postmaster.pid")).context("it does not run")?;
        said.lines().next().unwrap_or_default().trim().parse().context("its file names its process")
    }
}

impl Drop for Cluster {
    #[expect(clippy::print_stderr, reason = "a test's output is where its reader looks")]
    fn drop(&mut self) {
        let Some(guard) = &mut self.guard else {
            if self._in_use.is_none() {
                // It was killed; what cannot be removed is a temporary folder.
                let _ = fs::remove_dir_all(&self.folder);
            }
            return;
        };
        // Closes the guard's input: it ends the server.
        drop(guard.stdin.take());
        if let Err(error) = guard.wait() {
            eprintln!("PostgreSQL in {} may still run: {error}", self.folder.display());
        }
    }
}

impl Database {
    fn tell(&self, name: &str, options: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(program(name)?);
        command.arg("-h").arg(&self.folder).args(["-p", &self.port.to_string(), "-U", USER]).args(options);
        let done = command.arg(&self.name).output().with_context(|| format!("starting {name}"))?;
        if !done.status.success() {
            bail!("{name}: {}", String::from_utf8_lossy(&done.stderr));
        }
        Ok(())
    }

    /// Its address, by TCP.
    pub fn tcp_url(&self) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{}", self.port, self.name)
    }
}

impl Drop for Database {
    #[expect(clippy::print_stderr, reason = "a test's output is where its reader looks")]
    fn drop(&mut self) {
        // Its server may have ended before it, as a test of that wants.
        if let Err(error) = self.tell("dropdb", &["--force", "--if-exists"]) {
            eprintln!("the database {} stays: {error}", self.name);
        }
    }
}

/// Says on which store the suites run that run on both: `postgres`, or nothing for the embedded one.
const CHOICE: &str = "TILTYARD_TEST_STORE";

/// Whether the suites that run on both stores run on a shared one now.
pub fn is_chosen() -> bool {
    std::env::var_os(CHOICE).is_some_and(|choice| choice == "postgres")
}

/// The databases of folders.
fn homes() -> &'static Mutex<HashMap<PathBuf, Database>> {
    static HOMES: OnceLock<Mutex<HashMap<PathBuf, Database>>> = OnceLock::new();
    HOMES.get_or_init(Mutex::default)
}

/// The address of the database that stands in the place of a data folder's file, where the suites run on a shared store: the
/// same for the same folder.
///
/// # Panics
/// When there is none to be had.
pub fn url_of(folder: &Path) -> Option<String> {
    let make = || Cluster::shared().database().expect("a database");
    let url =
        || homes().lock().expect("nobody panicked").entry(folder.to_owned()).or_insert_with(make).url.clone();
    is_chosen().then(url)
}

/// Removes the database of a folder, when it has one.
///
/// # Panics
/// When another test of this process has panicked meanwhile.
pub fn forget(folder: &Path) {
    let database = homes().lock().expect("nobody panicked").remove(folder);
    drop(database);
}

/// Who owns the server's files: the server refuses to run as root.
pub(crate) struct Owner(Option<(u32, u32)>);

impl Owner {
    pub(crate) fn find() -> anyhow::Result<Self> {
        if !rustix::process::getuid().is_root() {
            return Ok(Self(None));
        }
        let users = fs::read_to_string("/etc/passwd").context("reading /etc/passwd")?;
        let of = |name: &str| {
            let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut numbers = line.split(':').skip(2).map_while(|word| word.parse().ok());
            Some((numbers.next()?, numbers.next()?))
        };
        let found = of("postgres").or_else(|| of("nobody"));
        Ok(Self(Some(
            found.context("PostgreSQL refuses to run as root, and there is no user postgres or nobody")?,
        )))
    }

    fn user(&self) -> u32 {
        self.0.map_or_else(|| rustix::process::getuid().as_raw(), |(user, _)| user)
    }

    pub(crate) fn give(&self, path: &Path) -> anyhow::Result<()> {
        if let Some((user, group)) = self.0 {
            chown(path, Some(user), Some(group))
                .with_context(|| format!("giving {} away", path.display()))?;
            // Tests reach its socket as who they are.
            fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    }

    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        self.become_of(&mut command);
        command
    }

    fn become_of(&self, command: &mut Command) {
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group).current_dir("/");
        }
    }

    fn run(&self, command: &mut Command) -> anyhow::Result<()> {
        self.become_of(command);
        let done = command.output().with_context(|| format!("{command:?}"))?;
        if !done.status.success() {
            bail!("{command:?}: {}", String::from_utf8_lossy(&done.stderr));
        }
        Ok(())
    }
}

/// A data folder as `initdb` makes it: made once for a version and a user, then copied.
fn template(owner: &Owner) -> anyhow::Result<PathBuf> {
    let initdb = program("initdb")?;
    let version = Command::new(&initdb).arg("--version").output().context("asking initdb for its version")?;
    let version = String::from_utf8_lossy(&version.stdout);
    let version = version.split_whitespace().nth(2).unwrap_or("unknown").to_owned();
    let user = owner.user();
    let kept = std::env::temp_dir().join(format!("tiltyard-pg-template-{version}-{user}"));
    if kept.join("PG_VERSION").exists() {
        return Ok(kept);
    }
    let made = tempfile::Builder::new().prefix("tiltyard-pg-new-").tempdir().context("a folder")?;
    owner.give(made.path())?;
    let data = made.path().join("data");
    let options = ["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"];
    owner.run(Command::new(initdb).args(options).arg(&data))?;
    match fs::rename(&data, &kept) {
        // Another process was quicker.
        Err(_) if kept.join("PG_VERSION").exists() => Ok(kept),
        moved => moved.map(|()| kept).context("keeping the data folder"),
    }
}
