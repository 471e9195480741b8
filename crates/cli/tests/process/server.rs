//! A server from its start to its end.

use crate::fault;
use crate::live::{Home, Live, Server, client, mode, send, wait_for};
use rusqlite::Connection;
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tiltyard_client::stream::Item;
use tiltyard_client::{Client, Error, Request};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::sign_in::With;
use tiltyard_wire::task;

fn idea(title: &str) -> task::Submit {
    task::Submit { kind: "note".to_owned(), title: title.to_owned(), ..task::Submit::default() }
}

async fn submit(client: &Client, title: &str) -> Result<String, Error> {
    let request = Request::<call::TaskSubmit>::new().body(idea(title));
    Ok(client.call(request).await?.id.to_string())
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(work)
}

// O2: on an empty folder it answers within a second, and the ready file tells where.
#[test]
fn o2_a_server_answers_within_a_second_and_writes_its_ready_file() {
    // Other tests use the machine too: one quick start of three is proof enough.
    let quickest = (0..3).map(|_| {
        let home = Home::new();
        let file = home.path("ready.json");
        let begin = Instant::now();
        let server = Server::start(&home, &["--ready-file", file.to_str().expect("is UTF-8")]);
        let text = wait_for("ready file", || std::fs::read_to_string(&file).ok());
        let ready: serde_json::Value = serde_json::from_str(&text).expect("is whole");
        assert_eq!(format!("http://{}", ready["address"].as_str().expect("is text")), server.url);
        assert_eq!(ready["pid"], server.live.pid());
        block_on(submit(&server.client(), "first")).expect("is taken");
        begin.elapsed()
    });
    let quickest = quickest.min().expect("three of them");
    assert!(quickest < Duration::from_secs(1), "took {quickest:?}");
}

/// Submits from several connections at once until the server is gone; what was acknowledged is in the ledger.
struct Load {
    acknowledged: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<BTreeSet<String>>>,
}

impl Load {
    fn start(server: &Server) -> Self {
        let (acknowledged, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let threads = (0..4).map(|number| {
            let (client, acknowledged, over) =
                (server.client(), Arc::clone(&acknowledged), Arc::clone(&over));
            std::thread::spawn(move || {
                let mut ledger = BTreeSet::new();
                while !over.load(Ordering::Relaxed) {
                    match block_on(submit(&client, &format!("load {number}"))) {
                        Ok(id) => {
                            ledger.insert(id);
                            acknowledged.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => assert!(error.is_passing(), "{error}"),
                    }
                }
                ledger
            })
        });
        let threads = threads.collect();
        Self { acknowledged, over, threads }
    }

    fn has_begun(&self) {
        wait_for("acknowledged work", || (self.acknowledged.load(Ordering::Relaxed) > 50).then_some(()));
    }

    fn ledger(self) -> BTreeSet<String> {
        self.over.store(true, Ordering::Relaxed);
        self.threads.into_iter().flat_map(|thread| thread.join().expect("ends in order")).collect()
    }
}

/// Reads the event stream until it breaks; how many events it told.
fn follow(server: &Server) -> std::thread::JoinHandle<usize> {
    let client = server.client();
    std::thread::spawn(move || {
        block_on(async {
            let mut stream = client.follow(Request::<call::EventStream>::new());
            let mut told = 0;
            while let Ok(Some(Item::Next(_))) = stream.next().await {
                told += 1;
            }
            told
        })
    })
}

fn kept(server: &Server, ledger: &BTreeSet<String>) -> usize {
    block_on(async {
        let client = server.client();
        let mut kept = 0;
        for id in ledger {
            let found = client.call(Request::<call::TaskGet>::new().place(id)).await;
            kept += usize::from(found.is_ok());
        }
        kept
    })
}

// O2: SIGTERM ends it with 0 within 10 s under load, with streams open; E1: nothing that was acknowledged is lost.
#[test]
fn o2_term_ends_a_server_under_load_in_order() {
    let home = Home::new();
    let server = Server::start(&home, &[]);
    let token = server.token.clone();
    let load = Load::start(&server);
    let stream = follow(&server);
    load.has_begun();
    let begin = Instant::now();
    server.live.signal(Signal::TERM);
    let ended = server.live.ended();
    let took = begin.elapsed();
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    assert!(took < Duration::from_secs(10), "took {took:?}");
    assert!(stream.join().expect("ends in order") > 0, "the stream told what happened, and its end");
    let ledger = load.ledger();
    let again = Server { token, ..Server::start(&home, &[]) };
    assert_eq!(kept(&again, &ledger), ledger.len());
}

// O2: nobody reads of a server that has ended.
#[test]
fn o2_the_ready_file_is_gone_with_its_server() {
    let home = Home::new();
    let file = home.path("ready.json");
    let server = Server::start(&home, &["--ready-file", file.to_str().expect("is UTF-8")]);
    wait_for("ready file", || file.exists().then_some(()));
    server.live.signal(Signal::TERM);
    assert_eq!(server.live.ended().code(), Some(0));
    assert!(!file.exists());
}

// O2: a second signal ends it at once, whatever is in flight.
#[test]
fn o2_a_second_signal_ends_at_once() {
    let home = Home::new();
    let server = Server::start(&home, &[]);
    let address = server.url.strip_prefix("http://").expect("is http").to_owned();
    let mut half = TcpStream::connect(&address).expect("connects");
    let token = server.token.as_deref().expect("has one");
    let head = format!(
        "POST /api/v1/tasks HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n"
    );
    half.write_all(head.as_bytes()).expect("is sent");
    // The answer `100 Continue` says that the request is in the hands of its handler.
    let mut first = [0; 1];
    std::io::Read::read_exact(&mut half, &mut first).expect("it goes on");
    let begin = Instant::now();
    server.live.signal(Signal::TERM);
    server.live.log("word of draining", |line| line.contains("draining"));
    server.live.signal(Signal::INT);
    assert_eq!(server.live.ended().code(), Some(1));
    assert!(begin.elapsed() < Duration::from_secs(5), "it waited for what was in flight");
}

// E10: one data folder, one server: a second one ends at once with a clear message; a lock left by a killed one
// does not block.
#[test]
fn e10_a_second_server_on_the_folder_is_refused() {
    let home = Home::new();
    let first = Server::start(&home, &[]);
    let begin = Instant::now();
    let second = home.run(&["server", "--listen", "127.0.0.1:0"]);
    assert_eq!((second.code(), second.stdout.as_str()), (Some(1), ""));
    let data = home.data();
    let said = format!("error: another tiltyard server is using {}: stop it", data.display());
    assert!(second.stderr.contains(&said), "{}", second.stderr);
    assert!(begin.elapsed() < Duration::from_secs(5), "it took its time");
    block_on(submit(&first.client(), "still there")).expect("the first one is unharmed");

    let token = first.token.clone();
    send(first.live.pid(), Signal::KILL);
    assert_eq!(first.live.ended().code(), None);
    let third = Server { token, ..Server::start(&home, &[]) };
    block_on(submit(&third.client(), "after the kill")).expect("is taken");
}

// SEC2: first start without tokens: one admin token, printed once and written to the 0600 client file.
#[test]
fn sec2_the_first_token_is_shown_once_and_kept_for_this_user() {
    let home = Home::new();
    let first = Server::start(&home, &[]);
    let token = first.token.clone().expect("is shown");
    assert!(token.len() == 68 && token.starts_with("jst_"), "{token}");
    let file = std::fs::read_to_string(home.client_file()).expect("is there");
    assert_eq!(file, format!("url = \"{}\"\ntoken = \"{token}\"\n", first.url));
    assert_eq!(mode(&home.client_file()), 0o600);
    assert_eq!(mode(&home.data()), 0o700);
    home.ask(&["tasks"]);
    first.live.signal(Signal::TERM);
    let ended = first.live.ended();
    assert!(!ended.stderr.contains(&token), "the log holds no token");
    assert!(!ended.stderr.contains("jsc_") && !ended.stderr.contains("jss_"), "and no code");

    let second = Server::start(&home, &[]);
    assert_eq!((second.token, second.link), (None, None), "a store that has one makes no other");
    block_on(submit(&client(&second.url, Some(&token)), "with the same")).expect("is taken");
    let stranger = block_on(submit(&client(&second.url, None), "without")).expect_err("is refused");
    assert_eq!(stranger.status(), Some(401));
}

// SEC2: the first start prints the console's one-time link, `tiltyard ui` another; each signs one browser in.
#[test]
fn sec2_the_console_opens_by_a_one_time_link() {
    let home = Home::new();
    let server = Server::start(&home, &[]);
    let first = server.link.clone().expect("is shown");
    let asked = home.ask(&["ui"]);
    assert!(asked["expires"].is_string(), "{asked}");
    let second = asked["url"].as_str().expect("is text").to_owned();
    let stranger = client(&server.url, None);
    for link in [&first, &second] {
        let code = link.strip_prefix(&format!("{}/#code=", server.url)).expect("is the server's address");
        let sign_in = || {
            let body = With { token: None, code: Some(code.to_owned()) };
            block_on(stranger.call(Request::<call::SignIn>::new().body(body)))
        };
        let view = sign_in().expect("lets in");
        assert_eq!((view.owner.as_str(), view.role.as_str()), ("admin", "admin"));
        assert_eq!(sign_in().expect_err("once").status(), Some(401));
    }
    let text = home.run(&["ui"]);
    assert!(text.stdout.starts_with(&format!("{}/#code=jsc_", server.url)), "{}", text.stdout);
    drop(server);

    // Where nobody has to sign in, the address is enough.
    let open = Server::start(&home, &["--no-auth"]);
    assert_eq!(home.ask(&["ui", "--server", &open.url]), serde_json::json!({"url": open.url}));
}

// SEC2: `ADMIN_TOKEN` is an admin token beside the store, so no other is made; 16 characters at least.
#[test]
fn sec2_an_admin_token_in_the_environment_takes_the_place_of_the_first() {
    let home = Home::new();
    let with = |token: &str| {
        let mut command = home.command(&["server", "--json", "--listen", "127.0.0.1:0"]);
        command.env("ADMIN_TOKEN", token);
        command
    };
    let short = Live::start(with("only-15-letters")).ended();
    assert_eq!(short.code(), Some(2), "{}", short.stderr);
    let server = Server::of(with("sixteen-letters!"));
    assert_eq!(server.token, None);
    assert!(!home.client_file().exists());
    let admin = client(&server.url, Some("sixteen-letters!"));
    block_on(submit(&admin, "as admin")).expect("is taken");
}

// SEC2: `--no-auth` works only on loopback, and says so loudly. SEC10: other addresses are refused with the reason.
#[test]
fn sec10_an_address_that_is_not_allowed_is_refused() {
    let home = Home::new();
    for (arguments, reason) in [
        (&["--listen", "0.0.0.0:0"][..], "allow_external_bind"),
        (&["--listen", "0.0.0.0:0", "--allow-external-bind"], "without TLS"),
        (&["--listen", "0.0.0.0:0", "--allow-external-bind", "--no-auth"], "--no-auth"),
        (&["--listen", "0.0.0.0:0", "--set", "behind_proxy=true"], "proxies"),
    ] {
        let refused = home.run(&[&["server"], arguments].concat());
        assert_eq!((refused.code(), refused.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(refused.stderr.contains(reason), "{arguments:?}: {}", refused.stderr);
    }
    assert!(!home.data().exists(), "nothing was opened");
    let open = Server::start(&home, &["--no-auth"]);
    block_on(submit(&client(&open.url, None), "by anybody")).expect("is taken");
    open.live.log("warning", |line| line.contains("\"warn\"") && line.contains("is an admin"));
}

// O10: a newer store is refused with a clear message; O3: a damaged one ends with 5, wrong usage with 2.
#[test]
fn o3_a_store_that_does_not_open_has_its_exit_code() {
    let home = Home::new();
    home.run(&["migrate", "up"]);
    let store = home.data().join("tiltyard.db");
    let connection = Connection::open(&store).expect("opens");
    connection.execute("INSERT INTO migration VALUES (99, 'tomorrow', 0)", []).expect("writes");
    connection.close().expect("closes");
    let newer = home.run(&["server", "--listen", "127.0.0.1:0"]);
    assert_eq!(newer.code(), Some(1));
    assert!(newer.stderr.contains("schema version 99"), "{}", newer.stderr);
    std::fs::write(&store, "no database at all, whoever reads it").expect("writes");
    let damaged = home.run(&["server", "--listen", "127.0.0.1:0"]);
    assert_eq!(damaged.code(), Some(5), "{}", damaged.stderr);
    assert_eq!(home.run(&["server", "--lisen", "127.0.0.1:0"]).code(), Some(2));
    assert_eq!(home.run(&["server", "--set", "limits.connections=0"]).code(), Some(2));
    assert_eq!(home.run(&["server", "--tied", "--listen", "127.0.0.1:0"]).code(), Some(2));
}

// E2: a failed fsync is never acknowledged: the server says so and ends with 5; the next start recovers.
#[test]
fn e2_a_disk_that_fails_ends_the_server_with_5() {
    let home = Home::new();
    let trouble = home.path("trouble");
    let mut command = home.command(&["server", "--json", "--listen", "127.0.0.1:0"]);
    command.env("LD_PRELOAD", fault::library(&home.path(""))).env("FAULT_FILE", &trouble);
    let server = Server::of(command);
    let token = server.token.clone();
    let (mut ledger, mut lost) = (BTreeSet::new(), 0);
    block_on(async {
        let client = server.client();
        for number in 0..20 {
            ledger.insert(submit(&client, &format!("before {number}")).await.expect("is taken"));
        }
        std::fs::write(&trouble, "").expect("writes");
        while submit(&client, "during").await.is_ok() {
            lost += 1;
        }
    });
    assert_eq!(lost, 0, "nothing is acknowledged that is not on disk");
    let ended = server.live.ended();
    assert_eq!(ended.code(), Some(5), "{}", ended.stderr);
    assert!(ended.stderr.contains("the store broke"), "{}", ended.stderr);
    let again = Server { token, ..Server::start(&home, &[]) };
    assert_eq!(kept(&again, &ledger), ledger.len());
    block_on(submit(&again.client(), "after")).expect("is taken");
}

// O1: HUP applies what can change live and says what waits; wrong settings change nothing.
#[test]
fn o1_a_reload_applies_what_can_change_live() {
    let home = Home::new();
    let settings = home.path("tiltyard.toml");
    let write = |text: &str| std::fs::write(&settings, text).expect("writes");
    write("[log]\nlevel = \"info\"\n");
    let server = Server::start(&home, &[]);
    write("[log]\nlevel = \"debug\"\n[limits]\nqueued_intents = 7\nconnections = 99\n");
    server.live.signal(Signal::HUP);
    let line = server.live.log("word of the reload", |line| line.contains("settings read anew"));
    assert!(line.contains("\"live\":\"limits.queued_intents log.level\""), "{line}");
    assert!(line.contains("\"at_restart\":\"limits.connections\""), "{line}");
    let event = wait_for("event of the change", || {
        let ended = home.run(&["events", "--types", "settings.changed", "--json"]);
        serde_json::from_str::<serde_json::Value>(&ended.stdout).ok()
    });
    assert_eq!(event["data"]["keys"], serde_json::json!(["limits.queued_intents", "log.level"]), "{event}");
    let shown =
        block_on(server.client().call(Request::<call::SystemSettings>::new())).expect("an admin may look");
    assert_eq!(shown.settings["limits.queued_intents"].value, 7);
    write("[log]\nlevel = \"lowd\"\n");
    server.live.signal(Signal::HUP);
    let line = server.live.log("complaint", |line| line.contains("the settings stay as they are"));
    assert!(line.contains("tiltyard.toml:2"), "{line}");
    block_on(submit(&server.client(), "still there")).expect("it serves on");
}
