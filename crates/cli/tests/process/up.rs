//! `tiltyard up`: a small parent of two children, server and agent.

use crate::live::{Home, Live, client, is_over, mode, send, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use tiltyard_client::{Client, Request};
use tiltyard_wire::endpoint::call;

/// A parent that runs, with both children.
struct Up {
    live: Live,
    url: String,
    agent: String,
    token: Option<String>,
    server_pid: i32,
    agent_pid: i32,
}

impl Up {
    fn start(home: &Home, arguments: &[&str]) -> Self {
        let fixed = ["up", "--json", "--listen", "127.0.0.1:0", "--name", "forge"];
        let live = Live::start(home.command(&[&fixed, arguments].concat()));
        let begun: Value = read(&live.line("first line", |line| line.contains("\"url\"")));
        assert_eq!(begun["connected"], true, "{begun}");
        let text = |name: &str| begun[name].as_str().map(str::to_owned);
        let mut up = Self {
            url: text("url").expect("tells where"),
            agent: text("agent").expect("tells who"),
            token: text("token"),
            server_pid: 0,
            agent_pid: 0,
            live,
        };
        for _ in 0..2 {
            let news = up.news("running");
            let pid = pid_of(&news);
            if news["part"] == "server" { up.server_pid = pid } else { up.agent_pid = pid }
        }
        up
    }

    /// The next line that tells of this state.
    fn news(&self, state: &str) -> Value {
        let wanted = format!("\"state\":\"{state}\"");
        read(&self.live.line(state, |line| line.contains(&wanted)))
    }

    /// Whether the agent is connected, as the server says; `None` while nobody answers.
    fn instance(&self, client: &Client) -> Option<String> {
        let request = Request::<call::AgentGet>::new().place(&self.agent);
        let agent = block_on(client.call(request)).ok()?;
        agent.instance.filter(|_| agent.connected)
    }
}

fn read(line: &str) -> Value {
    serde_json::from_str(line).expect("is JSON")
}

fn pid_of(news: &Value) -> i32 {
    news["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).expect("is a process")
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(work)
}

fn wait_until_over(pid: i32) {
    wait_for("end of a child", || is_over(pid).then_some(()));
}

// C4: a small parent of two children; either restarts without the other, after a kill -9 too.
#[test]
fn c4_either_child_restarts_without_the_other() {
    let home = Home::new();
    let up = Up::start(&home, &[]);
    let admin = client(&up.url, up.token.as_deref());
    let instance = wait_for("agent", || up.instance(&admin));

    send(up.server_pid, Signal::KILL);
    let ended = up.news("ended");
    assert_eq!((&ended["part"], &ended["how"]), (&"server".into(), &"was killed by signal 9".into()));
    let again = up.news("running");
    assert_eq!(again["part"], "server");
    let server_pid = pid_of(&again);
    assert_ne!(server_pid, up.server_pid);
    assert_eq!(
        wait_for("agent at the new server", || up.instance(&admin)),
        instance,
        "it is the same process"
    );
    assert!(!is_over(up.agent_pid));

    send(up.agent_pid, Signal::KILL);
    assert_eq!(up.news("ended")["part"], "agent");
    let again = up.news("running");
    assert_eq!(again["part"], "agent");
    let agent_pid = pid_of(&again);
    wait_for("another process of the agent", || up.instance(&admin).filter(|now| *now != instance));
    assert!(!is_over(server_pid));

    up.live.signal(Signal::TERM);
    let ended = up.live.ended();
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    assert!(is_over(server_pid) && is_over(agent_pid));
}

// C4: the agent gets a token of its own, which stands in no argument and no variable; the next start needs no other.
#[test]
fn c4_the_agents_token_is_its_own_and_nobody_sees_it() {
    let home = Home::new();
    let mut command = home.command(&["up", "--json", "--listen", "127.0.0.1:0", "--name", "forge"]);
    command.env("ADMIN_TOKEN", "sixteen-letters!");
    let live = Live::start(command);
    let url = read(&live.line("first line", |line| line.contains("\"url\"")))["url"]
        .as_str()
        .expect("is text")
        .to_owned();
    let pids: Vec<i32> =
        (0..2).map(|_| pid_of(&read(&live.line("child", |line| line.contains("running"))))).collect();
    for pid in pids {
        let arguments = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).expect("is there");
        assert!(!arguments.contains("jst_") && !arguments.contains("sixteen"), "{arguments}");
        let environment = std::fs::read(format!("/proc/{pid}/environ")).expect("is there");
        let environment = String::from_utf8_lossy(&environment).into_owned();
        let is_server = arguments.contains("server\0--tied");
        assert_eq!(environment.contains("sixteen"), is_server, "only the server may have an admin's token");
    }
    let admin = client(&url, Some("sixteen-letters!"));
    let tokens = || block_on(admin.call(Request::<call::TokenList>::new())).expect("an admin may").items;
    let of_agent: Vec<_> =
        tokens().into_iter().filter(|token| token.agent.as_deref() == Some("forge")).collect();
    assert_eq!(of_agent.len(), 1);
    assert_eq!(of_agent[0].role.as_str(), "agent");
    assert_eq!(mode(&home.data().join("agent-token.json")), 0o600);
    home.ask(&["tasks"]);
    assert_eq!(mode(&home.client_file()), 0o600);
    let before = tokens().len();
    live.signal(Signal::TERM);
    assert_eq!(live.ended().code(), Some(0));

    let again = Up::start(&home, &[]);
    let kept = std::fs::read_to_string(home.client_file()).expect("is there");
    assert!(kept.contains(&again.url), "the client file tells the new address: {kept}");
    let listed = home.ask(&["token"]);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(before), "no token was made anew: {listed}");
}

// C4: when the parent is killed, nobody stays behind.
#[test]
fn c4_children_end_with_a_killed_parent() {
    let home = Home::new();
    let up = Up::start(&home, &[]);
    up.live.signal(Signal::KILL);
    wait_until_over(up.agent_pid);
    wait_until_over(up.server_pid);
    drop(up);
    // The folder is free again.
    Up::start(&home, &[]);
}

// C4: a child that cannot run is given up, and not in silence; O3: with the exit code of its reason.
#[test]
fn c4_giving_up_is_told_and_ends_the_other() {
    let home = Home::new();
    let settings = home.path("tiltyard.toml");
    std::fs::write(&settings, "").expect("writes");
    let up = Up::start(&home, &[]);
    std::fs::write(&settings, "lisen = 1\n").expect("writes");
    send(up.server_pid, Signal::KILL);
    let agent_pid = up.agent_pid;
    let ended = up.live.ended();
    assert_eq!(ended.code(), Some(2), "{}", ended.stderr);
    let last = ended.stderr.lines().last().expect("says why");
    let said = read(last)["error"].as_str().expect("is text").to_owned();
    assert!(said.starts_with("given up: the server ended with code 2: ") && said.contains("lisen"), "{said}");
    assert!(is_over(agent_pid));
}

// E10: a second one on the folder is told so at once. O3: what cannot start has its exit code.
#[test]
fn e10_a_second_one_is_refused() {
    let home = Home::new();
    let first = Up::start(&home, &[]);
    let second = home.run(&["up", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.code(), Some(1));
    assert!(second.stderr.contains("another tiltyard server is using"), "{}", second.stderr);
    let outside = home.run(&["up", "--listen", "0.0.0.0:0"]);
    assert_eq!(outside.code(), Some(2));
    assert!(outside.stderr.contains("allow_external_bind"), "{}", outside.stderr);
    assert!(!is_over(first.server_pid) && !is_over(first.agent_pid));
}

// O3: a person reads where it is and what to do next. O2: the ready file is the server's.
#[test]
fn o3_a_person_is_told_what_to_do_next() {
    let home = Home::new();
    let file = home.path("ready.json");
    let path = file.to_str().expect("is UTF-8");
    let live = Live::start(home.command(&[
        "up",
        "--listen",
        "127.0.0.1:0",
        "--name",
        "forge",
        "--ready-file",
        path,
    ]));
    // SEC2: `up` prints the console's one-time link.
    live.line("link", |line| line.trim().starts_with("console") && line.contains("/#code=jsc_"));
    live.line("last line", |line| line.starts_with("Ctrl-C"));
    let ready: Value = read(&std::fs::read_to_string(&file).expect("is there"));
    live.signal(Signal::INT);
    let ended = live.ended();
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    let server = ready["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).expect("is a process");
    assert!(is_over(server));
}
