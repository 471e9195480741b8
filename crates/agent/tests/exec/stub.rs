//! An agent without a server, for the tests. `agent-stub exec-shim …` is its shim, as with the real binary;
//! `agent-stub hold LOCK HIDE SCRIPT` runs a shell script as an agent would and says on standard output what
//! the script says, then how it ended. With `ADOPT` in its environment it takes in orphans.
//! `agent-stub work FOLDER SCRIPT` is a host with one task; it says `done` when its outcome is kept, and stays.
//! `agent-stub talk URL FOLDER` is a whole agent, until it is killed.
//! `agent-stub put OUTBOX WORD` fills an outbox until it is killed and says what it has put.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tiltyard_agent::attempt::AttemptKey;
use tiltyard_agent::executor::command::{COMMAND_KIND, CommandExecutor};
use tiltyard_agent::executor::{Assignment, Executors};
use tiltyard_agent::host::{Host, HostSettings};
use tiltyard_agent::log::LogLimits;
use tiltyard_agent::outbox::Outbox;
use tiltyard_agent::outcome::{Outcome, Verdict};
use tiltyard_agent::process::{
    Confinement, Graces, Launcher, OutputSink, Program, Request, Run, Voice, environment,
};
use tiltyard_agent::session::{Identity, Session, SessionSettings, Shutdown, Times};
use tiltyard_agent::stop::stop_pair;
use tiltyard_client::Client;
use tiltyard_client::connection::Destination;
use tokio::sync::watch;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next().as_deref().and_then(|word| word.to_str()) {
        Some("exec-shim") => tiltyard_agent::shim::run_shim(args),
        Some("hold") => hold(&args.filter_map(|arg| arg.into_string().ok()).collect::<Vec<_>>()),
        Some("work") => work(&args.filter_map(|arg| arg.into_string().ok()).collect::<Vec<_>>()),
        Some("talk") => talk(&args.filter_map(|arg| arg.into_string().ok()).collect::<Vec<_>>()),
        Some("put") => put(&args.filter_map(|arg| arg.into_string().ok()).collect::<Vec<_>>()),
        _ => ExitCode::from(2),
    }
}

fn settings(folder: &str) -> HostSettings {
    HostSettings {
        seal: tiltyard_agent::outbox::SealKey::default(),
        folder: PathBuf::from(folder),
        slots: 1,
        launcher: Launcher::new(
            std::env::current_exe().expect("the binary has a path"),
            vec!["exec-shim".into()],
        ),
        hide: Vec::new(),
        user: None,
        graces: Graces { orphan_ms: 300, ..Graces::default() },
        log_limits: LogLimits::default(),
        executors: Executors::default().with(COMMAND_KIND, CommandExecutor::default()),
    }
}

fn talk(args: &[String]) -> ExitCode {
    let [url, folder] = args else { return ExitCode::from(2) };
    let client =
        Client::new(&Destination { url: url.clone(), ..Destination::default() }).expect("is an address");
    let identity = Identity {
        name: "builder".to_owned(),
        version: "1.2.3".to_owned(),
        host: "workbench".to_owned(),
        capabilities: Vec::new(),
        queues: Vec::new(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (host, _) = Host::open(settings(folder)).expect("opens");
        host.recover(Duration::from_secs(60)).await.expect("recovers");
        let settings = SessionSettings { identity, folder: PathBuf::from(folder), times: Times::default() };
        let session = Session::new(client, host, settings).expect("has randomness");
        let (_wish, shutdown) = watch::channel(Shutdown::No);
        session.run(shutdown).await;
    });
    ExitCode::SUCCESS
}

fn work(args: &[String]) -> ExitCode {
    let [folder, script] = args else { return ExitCode::from(2) };
    let payload = serde_json::json!({ "argv": script, "shell": true });
    let assignment = Assignment {
        key: AttemptKey::new("task_kept", 3).expect("is a key"),
        kind: COMMAND_KIND.to_owned(),
        title: "A command".to_owned(),
        payload: serde_json::value::to_raw_value(&payload).expect("is JSON"),
        timeout: None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (host, _) = Host::open(settings(folder)).expect("opens");
        let running = host.accept(assignment).await.expect("takes it");
        running.done.await.expect("ends");
        writeln!(io::stdout(), "done").expect("the test listens");
        std::future::pending().await
    })
}

fn put(args: &[String]) -> ExitCode {
    let [folder, word] = args else { return ExitCode::from(2) };
    let (outbox, _) =
        Outbox::open(folder.as_ref(), tiltyard_agent::outbox::SealKey::default()).expect("opens");
    for number in 1.. {
        let key = AttemptKey::new(&format!("task_{word}"), number).expect("is a key");
        let outcome = Outcome { key, verdict: Verdict::failed("x".repeat(1_000)) };
        outbox.put(&outcome).expect("takes");
        writeln!(io::stdout(), "{}", outcome.key).expect("the test listens");
    }
    ExitCode::SUCCESS
}

struct Forward;

impl OutputSink for Forward {
    fn write(&mut self, _: Voice, bytes: &[u8]) -> io::Result<()> {
        io::stdout().write_all(bytes)?;
        io::stdout().flush()
    }
}

fn hold(args: &[String]) -> ExitCode {
    let [lock, hide, script] = args else { return ExitCode::from(2) };
    let own = std::env::current_exe().expect("the binary has a path");
    let launcher = Launcher::new(own, vec!["exec-shim".into()]);
    if std::env::var_os("ADOPT").is_some() {
        launcher.adopt_orphans().expect("the kernel agrees");
    }
    let (_stopper, stop) = stop_pair();
    let request = Request {
        program: Program {
            run: Run::Shell(script.clone()),
            env: environment::inherited(),
            cwd: PathBuf::from("/"),
            stdin: Vec::new(),
        },
        confinement: Confinement { hide: vec![PathBuf::from(hide)], ..Confinement::default() },
        timeout: None,
        stop,
        graces: Graces { orphan_ms: 300, ..Graces::default() },
        lock: Some(PathBuf::from(lock)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(launcher.run(request, &mut Forward)) {
        Ok(ended) => {
            writeln!(io::stdout(), "{ended:?}").expect("the test listens");
            ExitCode::SUCCESS
        }
        Err(_) => ExitCode::FAILURE,
    }
}
