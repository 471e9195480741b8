//! A server with bad luck: killed with all its processes, started again from what it left, followed by another one that is
//! promoted in its place.

use super::{Cluster, GUARD, Owner, PATIENCE, Sync, USER, program};
use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

/// The pause of a loop that looks for what tells nobody.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

impl Cluster {
    /// Starts a second server that follows this one (streaming replication).
    ///
    /// # Errors
    /// When it does not start.
    pub fn standby(&self, sync: Sync, settings: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("tiltyard-pg-").tempdir().context("a folder")?.keep();
        let mut standby = Self { folder, port: 0, guard: None, _in_use: None };
        Owner::find()?.give(&standby.folder)?;
        standby.port = std::net::TcpListener::bind("127.0.0.1:0").context("a port")?.local_addr()?.port();
        standby.follow(self, sync, settings)?;
        Ok(standby)
    }

    /// Forgets what this server held and makes it follow another one, at the port it has. It must not run.
    ///
    /// # Errors
    /// When the other one cannot be copied, or this one does not start.
    pub fn follow(&mut self, primary: &Self, sync: Sync, settings: &[&str]) -> anyhow::Result<()> {
        let owner = Owner::find()?;
        if self.data().exists() {
            fs::remove_dir_all(self.data()).context("what it held")?;
        }
        let mut copy = Command::new(program("pg_basebackup")?);
        copy.args(["-h", "127.0.0.1", "-p", &primary.port.to_string(), "-U", USER, "-D"]).arg(self.data());
        copy.args(["-X", "stream", "-c", "fast", "-R", "--no-sync"]);
        owner.run(&mut copy)?;
        // It waits for nobody until it is told to.
        let own = self.data().join("postgresql.auto.conf");
        let mut own = fs::File::options().append(true).open(own).context("its settings")?;
        own.write_all(b"synchronous_standby_names = ''\n").context("its settings")?;
        self.start_again(sync, settings)
    }

    /// Starts it again from what is in its folder, at the port it had. It must not run.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_again(&mut self, sync: Sync, settings: &[&str]) -> anyhow::Result<()> {
        let socket = self.folder.join(format!(".s.PGSQL.{}", self.port));
        let lock = self.folder.join(format!(".s.PGSQL.{}.lock", self.port));
        for left in [self.data().join("postmaster.pid"), lock, socket] {
            // By a killed one; absent in a copy.
            let _ = fs::remove_file(left);
        }
        self.guard = Some(self.spawn(&Owner::find()?, sync, settings, GUARD)?);
        let began = Instant::now();
        while self.ready_port().is_none() {
            if began.elapsed() > PATIENCE {
                bail!("PostgreSQL did not start again in {PATIENCE:?}:\n{}", self.log());
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// Kills it with all its processes (`kill -9`), none of which does another thing after the first is dead. What is in its
    /// folder stays.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        let server = self.pid()?;
        signal(server, Signal::STOP)?;
        let children = children(server)?;
        for child in &children {
            // One that has ended meanwhile needs no killing.
            let _ = signal(*child, Signal::KILL);
        }
        signal(server, Signal::KILL)?;
        if let Some(mut guard) = self.guard.take() {
            guard.kill().context("its guard")?;
            guard.wait().context("its guard")?;
        }
        let began = Instant::now();
        while children.iter().chain([&server]).any(|process| !is_over(*process)) {
            if began.elapsed() > PATIENCE {
                bail!("PostgreSQL does not die");
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// Stops all its processes where they stand, until [`Cluster::thaw`].
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal_all(Signal::STOP)
    }

    /// Lets its processes go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal_all(Signal::CONT)
    }

    fn signal_all(&self, what: Signal) -> anyhow::Result<()> {
        let server = self.pid()?;
        signal(server, what)?;
        for child in children(server)? {
            // One that has ended meanwhile needs no signal.
            let _ = signal(child, what);
        }
        Ok(())
    }

    /// Makes a standby the primary; comes back when it is.
    ///
    /// # Errors
    /// When it does not become one.
    pub fn promote(&self) -> anyhow::Result<()> {
        match self.ask("postgres", "SELECT pg_promote(true, 30)")?.as_str() {
            "t" => Ok(()),
            said => bail!("it was not promoted: {said}\n{}", self.log()),
        }
    }

    /// From now on a commit waits for the standby.
    ///
    /// # Errors
    /// When none follows.
    pub fn wait_for_standby(&self) -> anyhow::Result<()> {
        self.ask("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'")?;
        self.ask("postgres", "SELECT pg_reload_conf()")?;
        let began = Instant::now();
        while self.ask("postgres", "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")?
            != "1"
        {
            if began.elapsed() > PATIENCE {
                bail!("no standby follows:\n{}", self.log());
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// Asks a database by `psql`, unaligned, without headings.
    ///
    /// # Errors
    /// What the database says.
    pub fn ask(&self, database: &str, sql: &str) -> anyhow::Result<String> {
        let mut command = Command::new(program("psql")?);
        command.arg("-h").arg(&self.folder).args(["-p", &self.port.to_string(), "-U", USER, "-XAtc", sql]);
        let done = command.arg(database).output().context("starting psql")?;
        if !done.status.success() {
            bail!("{sql}: {}", String::from_utf8_lossy(&done.stderr));
        }
        Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
    }
}

fn signal(process: u32, signal: Signal) -> anyhow::Result<()> {
    let process = i32::try_from(process).ok().and_then(Pid::from_raw).context("a process has a number")?;
    kill_process(process, signal).context("a process of a test's own")
}

/// The processes that one has started.
fn children(of: u32) -> anyhow::Result<Vec<u32>> {
    let listed = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).context("its processes")?;
    Ok(listed.split_whitespace().filter_map(|word| word.parse().ok()).collect())
}

/// Whether a process is gone, or dead and not yet noticed by whoever inherited it.
fn is_over(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    matches!(state, None | Some('Z' | 'X'))
}
