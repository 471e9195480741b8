//! A shop: a repository, server and agent beside it, and a tape of everything that happens.

use crate::live::{Home, Live, Server, client};
use serde_json::Value;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;
use tiltyard_client::{Client, Request};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::gate::Approve;

/// The check of a shop that has no other: it fails as long as `hello.txt` is bad, and says so.
pub(super) const TEST: &str = "if grep bad hello.txt; then echo 'must not be bad'; exit 1; fi\n";
/// Rules that let tier 1 through, and send a red check back twice.
pub(super) const RULES: &str =
    "auto_merge = \"safe\"\n[[checks]]\nname = \"unit\"\nargv = [\"sh\", \"test.sh\"]\n";
/// Events of one story.
const MAX_EVENTS: &str = "1000";

/// Everything that takes part.
pub(super) struct Shop {
    home: Home,
    folder: PathBuf,
    tape: Tape,
    admin: Client,
    token: Option<String>,
    _up: Live,
}

impl Shop {
    /// Opens one with these rules and this check.
    pub(super) fn open(rules: &str, test: &str) -> Self {
        Self::open_over(None, rules, test)
    }

    /// The same over a shared store.
    pub(super) fn open_over(store: Option<&str>, rules: &str, test: &str) -> Self {
        let home = Home::new();
        let folder = home.path("shop");
        std::fs::create_dir(&folder).expect("a folder");
        std::fs::create_dir(home.path("notes")).expect("a folder");
        let files = [
            ("README.md", "A shop\n"),
            ("hello.txt", "hello\n"),
            ("test.sh", test),
            (".tiltyard.toml", rules),
        ];
        for (name, text) in files {
            std::fs::write(folder.join(name), text).expect("writes");
        }
        git(&folder, &["init", "--quiet", "--initial-branch=main"]);
        git(&folder, &["config", "user.name", "Corner shop"]);
        git(&folder, &["config", "user.email", "shop@example.org"]);
        git(&folder, &["add", "--all"]);
        git(&folder, &["commit", "--quiet", "--message", "The shop"]);
        let mut up = home.command(&["up", "--json", "--listen", "127.0.0.1:0", "--name", "forge"]);
        if let Some(store) = store {
            up.args(["--store", store]);
        }
        let up = Live::start(up);
        let begun = up.line("first line", |line| line.contains("\"url\""));
        let begun: Value = serde_json::from_str(&begun).expect("is JSON");
        let token = begun["token"].as_str().map(str::to_owned);
        let admin = client(&text(&begun, "url"), token.as_deref());
        let tape = Tape::of(&home);
        tape.nth(1, "the agent online", |event| event["type"] == "tiltyard.agent.online");
        let shop = Self { home, folder, tape, admin, token, _up: up };
        shop.ask(&["repo", "add", "shop", &shop.folder.display().to_string()]);
        shop
    }

    /// Runs a command of a person; its JSON.
    pub(super) fn ask(&self, arguments: &[&str]) -> Value {
        self.home.ask(arguments)
    }

    /// Runs one that the server refuses; the code.
    pub(super) fn refused(&self, arguments: &[&str]) -> String {
        let ended = self.home.run(&[arguments, &["--json"]].concat());
        assert_eq!(ended.code(), Some(4), "{arguments:?}: {}{}", ended.stdout, ended.stderr);
        let said: Value = serde_json::from_str(&ended.stderr).expect("is JSON");
        text(&said, "code")
    }

    /// Hands in an idea that a script does; its task.
    pub(super) fn idea(&self, title: &str, script: &str) -> String {
        self.idea_with(title, &[], &["sh", "-ec", script])
    }

    /// The same with more words for `submit`.
    pub(super) fn idea_with(&self, title: &str, terms: &[&str], program: &[&str]) -> String {
        text(
            &self.ask(&[&["submit", title, "--repo", "shop"], terms, &["--json", "--"], program].concat()),
            "id",
        )
    }

    /// The change that a task has proposed.
    pub(super) fn change_of(&self, task: &str) -> String {
        let opened = |event: &Value| event["type"] == "tiltyard.change.opened" && event["taskid"] == task;
        text(&self.tape.nth(1, &format!("change of {task}"), opened), "subject")
    }

    /// Waits until something happened to a thing for the nth time.
    pub(super) fn until(&self, subject: &str, what: &str, times: usize) -> Value {
        let kind = format!("tiltyard.{what}");
        let hit = |event: &Value| event["type"] == kind.as_str() && event["subject"] == subject;
        self.tape.nth(times, &format!("{what} of {subject}, {times} times"), hit)
    }

    /// Waits until the change of a task is before a person for the nth time; shows it.
    pub(super) fn review(&self, task: &str, times: usize) -> Value {
        let change = self.change_of(task);
        self.until(&change, "change.review", times);
        self.change(&change)
    }

    /// A change as it is.
    pub(super) fn change(&self, change: &str) -> Value {
        self.ask(&["changes", change])
    }

    /// A task as it is.
    pub(super) fn task(&self, task: &str) -> Value {
        self.ask(&["tasks", task])
    }

    /// Says yes to exactly what was shown.
    pub(super) fn approve(&self, seen: &Value) {
        self.ask(&["approve", &text(seen, "id"), "--subject", &text(seen, "subject_sha256")]);
    }

    /// Says yes, and waits until the target holds it.
    pub(super) fn approve_and_land(&self, seen: &Value) {
        self.approve(seen);
        self.until(&text(seen, "task"), "task.succeeded", 1);
    }

    /// Says yes to exactly what was shown, on another server of the same store.
    pub(super) fn approve_at(&self, server: &Server, seen: &Value) {
        let body = Approve { subject_sha256: Some(text(seen, "subject_sha256")), ..Approve::default() };
        let request = Request::<call::ChangeApprove>::new().place(text(seen, "id")).body(body);
        let there = client(&server.url, self.token.as_deref());
        crate::up::block_on(there.call(request)).expect("it is taken there");
    }

    /// The code with which the API refuses an approval of this digest: the command line itself would not send one that
    /// is not what it reads.
    pub(super) fn stale_approval(&self, change: &str, digest: &str) -> String {
        let body = Approve { subject_sha256: Some(digest.to_owned()), ..Approve::default() };
        let request = Request::<call::ChangeApprove>::new().place(change).body(body);
        match crate::up::block_on(self.admin.call(request)) {
            Err(tiltyard_client::Error::Refused(refused)) => refused.code.clone(),
            other => panic!("it is not refused: {other:?}"),
        }
    }

    /// The diff of a change.
    pub(super) fn diff(&self, change: &str) -> String {
        let ended = self.home.run(&["changes", "diff", change]);
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
        ended.stdout
    }

    /// What the log tells of a task and of its change, in order; it has no holes (D50).
    pub(super) fn story(&self, task: &str) -> Vec<String> {
        let arguments = ["events", "--after", "0", "--limit", MAX_EVENTS, "--json"];
        let ended = self.home.run(&arguments);
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
        let events = ended.stdout.lines().map(|line| serde_json::from_str(line).expect("is JSON"));
        let events: Vec<Value> = events.collect();
        let whole = events.iter().zip(1..).all(|(event, seq)| event["seq"] == seq);
        assert!(whole, "the log has a hole: {}", ended.stdout);
        let change = self.ask(&["changes", "--task", task]);
        let about = [task, change["items"][0]["id"].as_str().unwrap_or(task)];
        let of_it =
            |event: &&Value| about.iter().any(|id| event["subject"] == *id || event["data"]["about"] == *id);
        events.iter().filter(of_it).map(in_short).collect()
    }

    /// Where the repository is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A place for scripts to leave notes at.
    pub(super) fn note(&self, name: &str) -> PathBuf {
        self.home.path("notes").join(name)
    }

    /// What a script has noted.
    pub(super) fn noted(&self, name: &str) -> String {
        std::fs::read_to_string(self.note(name)).unwrap_or_default()
    }

    /// Runs git in the repository.
    pub(super) fn git(&self, arguments: &[&str]) -> String {
        git(&self.folder, arguments)
    }

    /// The subjects of what landed, oldest first.
    pub(super) fn landed(&self) -> Vec<String> {
        let log = self.git(&["log", "--reverse", "--format=%s", "refs/heads/main"]);
        log.lines().skip(1).map(str::to_owned).collect()
    }

    /// A file of the target's work tree.
    pub(super) fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }
}

/// A field that is text.
pub(super) fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}")).to_owned()
}

/// Runs git.
pub(super) fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").current_dir(folder).args(arguments).output().expect("git is here");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("is UTF-8")
}

/// An event in a few words: what happened, and the word that says more.
fn in_short(event: &Value) -> String {
    let mut said = text(event, "type").trim_start_matches("tiltyard.").to_owned();
    for field in ["generation", "cause", "reason", "outcome", "tier"] {
        match &event["data"][field] {
            Value::Null => {}
            Value::String(word) => said.push_str(&format!(" {word}")),
            other => said.push_str(&format!(" {other}")),
        }
    }
    said
}

/// Every event, as `tiltyard events --follow` tells it.
struct Tape {
    live: Live,
    heard: RefCell<Vec<Value>>,
}

impl Tape {
    fn of(home: &Home) -> Self {
        let live = Live::start(home.command(&["events", "--follow", "--after", "0", "--json"]));
        Self { live, heard: RefCell::default() }
    }

    /// The nth event that is wanted, since the beginning.
    fn nth(&self, times: usize, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut heard = self.heard.borrow_mut();
        loop {
            if let Some(event) = heard.iter().filter(|event| wanted(event)).nth(times - 1) {
                return event.clone();
            }
            let line = self.live.line(what, |line| line.starts_with('{'));
            heard.push(serde_json::from_str(&line).expect("is JSON"));
        }
    }
}
