//! Real agents at a real server, with a stretch of network between them that can be cut: started, killed, cut off, and
//! what the log says of it afterwards.

use crate::fold::fold;
use crate::seen::{Log, read};
use crate::server::{ADMIN_TOKEN, Server, Yard};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tiltyard_testkit::Proxy;
use tokio::process::{Child, Command};

/// Bounds the failure of something that never happens. Agents that were cut off pause before they come back, and each
/// run of a program is several processes, which a loaded machine starts slowly.
const MAX_WAIT: Duration = Duration::from_secs(120);
/// The pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < MAX_WAIT, "it never happened: {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// A yard with a server that agents reach by a proxy, so that it keeps its address when it is started again.
pub(crate) struct Scene {
    pub(crate) yard: Yard,
    pub(crate) proxy: Proxy,
    lease: Duration,
    settings: Vec<String>,
    server: Option<Server>,
    log: Log,
}

impl Scene {
    /// One with a running server whose leases are this long.
    pub(crate) async fn set(lease: Duration) -> Self {
        Self::set_in(Yard::new(), lease).await
    }

    /// The same in this yard.
    pub(crate) async fn set_in(yard: Yard, lease: Duration) -> Self {
        Self::set_with(yard, lease, &[]).await
    }

    /// The same with settings of the server's own.
    pub(crate) async fn set_with(yard: Yard, lease: Duration, settings: &[&str]) -> Self {
        let proxy = Proxy::start().await.expect("a proxy");
        let settings = settings.iter().map(|own| (*own).to_owned()).collect();
        let log = Log::default();
        let mut scene = Self { yard, proxy, lease, settings, server: None, log };
        scene.start_server().await;
        scene
    }

    /// Starts a server on the data of the one before, and lets agents through to it.
    pub(crate) async fn start_server(&mut self) {
        let mut command = self.yard.command();
        // The agents call it by the proxy's name (SEC11).
        command.arg("--set").arg(format!("hosts=127.0.0.1,{}", self.proxy.address()));
        command.arg("--set").arg(format!("leases.default_ms={}", self.lease.as_millis()));
        for own in &self.settings {
            command.arg("--set").arg(own);
        }
        let server = self.yard.start_as(command).await;
        self.proxy.open(server.address);
        self.server = Some(server);
    }

    /// Kills the server (`kill -9`).
    pub(crate) async fn kill_server(&mut self) {
        self.server.take().expect("it runs").kill().await;
    }

    /// The server.
    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().expect("it runs")
    }

    /// Heals the network.
    pub(crate) fn mend(&self) {
        self.proxy.open(self.server().address);
    }

    /// Starts an agent, which reaches the server at `url`, and waits until it is welcome.
    pub(crate) async fn agent_at(&self, name: &str, url: &str) -> Agent {
        let (ready, work) = (self.yard.beside(&format!("{name}.ready")), self.yard.beside(name));
        // Left by the one before; absent the first time.
        let _ = std::fs::remove_file(&ready);
        let log = self.yard.beside(&format!("{name}.log"));
        let log = std::fs::File::options().create(true).append(true).open(log);
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiltyard"));
        command.args(["agent", "--server", url, "--token", ADMIN_TOKEN, "--name", name, "--slots", "4"]);
        command.arg("--work").arg(&work).arg("--ready-file").arg(&ready);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.yard.beside("home")).current_dir(self.yard.beside(""));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("its log can be written"))
            .kill_on_drop(true);
        let child = command.spawn().expect("the binary starts");
        until(&format!("{name} is welcome"), || ready.exists()).await;
        Agent { child, outbox: work.join("outbox") }
    }

    /// The same by the proxy.
    pub(crate) async fn agent(&self, name: &str) -> Agent {
        self.agent_at(name, &self.proxy.url()).await
    }

    /// What an agent has written about itself.
    pub(crate) fn said_by(&self, agent: &str) -> String {
        std::fs::read_to_string(self.yard.beside(&format!("{agent}.log"))).unwrap_or_default()
    }

    /// Hands in a shell script; its id.
    pub(crate) async fn submit(&self, script: &str) -> String {
        let payload = json!({"argv": script, "shell": true});
        let body = json!({"kind": "command", "title": "A task", "payload": payload});
        let answer = self.server().line().post("/tasks", &body).await.expect("it answers");
        answer.body["id"].as_str().unwrap_or_else(|| panic!("{}", answer.body)).to_owned()
    }

    /// Reads from the server.
    pub(crate) async fn read(&self, path: &str) -> Value {
        read(&mut self.server().line(), path).await
    }

    /// Waits until the log tells something.
    pub(crate) async fn until_told(&mut self, what: &str, mut is_told: impl FnMut(&[Value]) -> bool) {
        let began = Instant::now();
        loop {
            let mut line = self.server().line();
            self.log.follow(&mut line).await;
            if is_told(&self.log.events) {
                return;
            }
            let told: Vec<String> = self.log.events.iter().map(in_short).collect();
            assert!(began.elapsed() < MAX_WAIT, "the log never told: {what}; it told\n{}", told.join("\n"));
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until a task has succeeded.
    pub(crate) async fn succeeds(&mut self, task: &str) {
        let end = |event: &Value| event["subject"] == task && event["type"] == "tiltyard.task.succeeded";
        self.until_told(&format!("{task} succeeded"), |events| events.iter().any(end)).await;
    }

    /// How often an agent came online.
    pub(crate) fn times_online(events: &[Value], agent: &str) -> usize {
        let online = |event: &&Value| event["type"] == "tiltyard.agent.online" && event["subject"] == agent;
        events.iter().filter(online).count()
    }

    /// What the log tells of a task, in order; the log as a whole has no holes and every move fits (D50, D51).
    pub(crate) async fn story(&mut self, task: &str) -> Vec<String> {
        let mut line = self.server().line();
        self.log.follow(&mut line).await;
        let (_, wrong) = fold(&self.log.events);
        assert_eq!(wrong, Vec::<String>::new());
        self.log.events.iter().filter(|event| event["subject"] == task).map(in_short).collect()
    }

    /// How each attempt of a task ended, oldest first: generation, agent, outcome.
    pub(crate) async fn attempts(&self, task: &str) -> Vec<(i64, String, String)> {
        let found = self.read(&format!("/tasks/{task}/attempts")).await;
        let mut attempts: Vec<(i64, String, String)> = found["items"]
            .as_array()
            .expect("a page has items")
            .iter()
            .map(|attempt| {
                (
                    attempt["generation"].as_i64().expect("a number"),
                    text(attempt, "agent"),
                    text(attempt, "outcome"),
                )
            })
            .collect();
        attempts.sort();
        attempts
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

/// An event in a few words: what happened, the generation, and who or why.
fn in_short(event: &Value) -> String {
    let (kind, data) = (event["type"].as_str().unwrap_or_default(), &event["data"]);
    let mut said = kind.trim_start_matches("tiltyard.task.").to_owned();
    if let Some(generation) = data["generation"].as_i64() {
        said.push_str(&format!(" {generation}"));
    }
    for field in ["agent", "reason", "state"] {
        if let Some(word) = data[field].as_str() {
            said.push_str(&format!(" {word}"));
        }
    }
    said
}

/// An agent's process.
pub(crate) struct Agent {
    child: Child,
    outbox: PathBuf,
}

impl Agent {
    /// Kills it (`kill -9`) and waits for its end.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("it is ours");
    }

    /// How many outcomes wait for the server, on disk.
    pub(crate) fn outcomes(&self) -> usize {
        let Ok(files) = std::fs::read_dir(&self.outbox) else { return 0 };
        files.flatten().filter(|file| file.path().extension().is_some_and(|end| end == "outcome")).count()
    }
}

/// A script that says that it has begun, waits for a word, and has an effect. What it says are process ids, so that
/// each run has a name of its own.
pub(crate) struct Job {
    folder: PathBuf,
}

impl Job {
    /// One whose files are in a folder of the yard.
    pub(crate) fn new(yard: &Yard) -> Self {
        let folder = yard.beside("job");
        std::fs::create_dir_all(&folder).expect("a folder");
        let made = std::process::Command::new("mkfifo").arg(folder.join("go")).status();
        assert!(made.expect("mkfifo is here").success());
        Self { folder }
    }

    /// The script. It has a child of its own, which outlives everything that does not end it.
    pub(crate) fn script(&self) -> String {
        format!(
            "cd '{}'; sleep 1000 & echo $! >> beside; echo $$ >> begun; read -r word < go; echo $$ >> effect; \
             kill $!; echo \"\\\"done by $$\\\"\"",
            self.folder.display()
        )
    }

    fn lines(&self, file: &str) -> Vec<String> {
        lines(&self.folder.join(file))
    }

    /// Which runs have begun.
    pub(crate) fn begun(&self) -> Vec<String> {
        self.lines("begun")
    }

    /// Their children.
    pub(crate) fn beside(&self) -> Vec<String> {
        self.lines("beside")
    }

    /// Which runs have had their effect.
    pub(crate) fn effects(&self) -> Vec<String> {
        self.lines("effect")
    }

    /// Waits until so many runs have begun.
    pub(crate) async fn has_begun(&self, count: usize) {
        until(&format!("run {count} begins"), || self.begun().len() >= count).await;
    }

    /// Lets the run that waits go on.
    pub(crate) async fn go(&self) {
        // Opening waits for the reader.
        let said = tokio::time::timeout(MAX_WAIT, tokio::fs::write(self.folder.join("go"), "go\n"));
        said.await.expect("somebody waits for it").expect("it is a pipe");
    }
}

/// The lines of a file that may not be there yet.
pub(crate) fn lines(file: &Path) -> Vec<String> {
    std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Whether a process is over: gone, or dead and not yet noticed by whoever inherited it.
pub(crate) fn is_over(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    matches!(state, None | Some('Z' | 'X'))
}
