//! `tiltyard demo`: three ideas become two merges and a dead letter, and the last line says so (O40).

use crate::live::{Home, Live, is_over, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").current_dir(folder).args(arguments).output().expect("git is here");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("is UTF-8")
}

fn temporary(home: &Home) -> std::path::PathBuf {
    let folder = home.path("tmp");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn left_over(folder: &Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(folder).expect("is there").flatten().map(|entry| entry.path()).collect()
}

// O40: the last line is exactly this, and the exit code is 0; `--keep` leaves the folder.
#[test]
fn o40_the_demo_ends_with_its_line_and_keeps_its_folder() {
    let home = Home::new();
    let tmp = temporary(&home);
    let mut command = home.command(&["demo", "--keep"]);
    command.env("TMPDIR", &tmp);
    let ended = Live::start(command).ended();
    assert_eq!(ended.code(), Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let last = ended.stdout.lines().last().expect("says something");
    let fixed = r#"{"merged":2,"auto_merged":1,"approved":1,"dead":1,"audit_ok":true,"seconds":"#;
    assert!(last.starts_with(fixed), "{last}");
    let seconds =
        serde_json::from_str::<Value>(last).expect("is JSON")["seconds"].as_f64().expect("is a number");
    assert!(seconds > 0.0 && seconds < 60.0, "a person waits {seconds} s");
    assert!(!ended.stdout.contains('\x1b'), "colours are for terminals");
    for told in ["protected", "ada approves", "+12", "the wholesaler does not answer", "dead letter"] {
        assert!(ended.stdout.contains(told), "the story does not tell {told:?}:\n{}", ended.stdout);
    }

    let [folder] = left_over(&tmp).try_into().expect("one folder");
    assert!(ended.stdout.contains(folder.to_str().expect("is UTF-8")));
    let shop = folder.join("shop");
    assert_eq!(git(&shop, &["rev-list", "--count", "main"]).trim(), "3");
    assert_eq!(git(&shop, &["status", "--porcelain"]), "", "the work tree moved with the branch");
    assert!(std::fs::read_to_string(shop.join("README.md")).expect("is there").contains("8 to 20"));
    assert_eq!(std::fs::read_to_string(shop.join("pricing/discount")).expect("is there"), "12\n");
    assert!(!home.client_file().exists(), "it leaves the person's own files alone");
    look_around(&home, &ended.stdout);
}

/// The commands that the demo prints in the end work as they stand.
fn look_around(home: &Home, told: &str) {
    let printed = |part: &str| {
        let mut lines = told.lines().map(str::trim);
        let line = lines.find(|line| line.starts_with("XDG_STATE_HOME=") && line.contains(part));
        line.expect("the command is printed").to_owned()
    };
    let in_shell = |line: String| {
        let mut shell = Command::new("sh");
        shell
            .env_clear()
            .env("HOME", home.path(""))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        shell.args(["-c", &format!("exec env {line}")]);
        shell
    };
    let up = Live::start(in_shell(printed(" up --listen")));
    up.line("start", |line| line.contains("Tiltyard is up."));
    let changes = Live::start(in_shell(printed(" changes"))).ended();
    assert_eq!(changes.code(), Some(0), "{}", changes.stderr);
    assert_eq!(changes.stdout.matches("merged").count(), 2, "{}", changes.stdout);
    up.signal(Signal::INT);
    assert_eq!(up.ended().code(), Some(0));
}

// O40: `--json` gives the last line only; without `--keep` nothing is left.
#[test]
fn o40_for_machines_there_is_one_line_and_nothing_is_left() {
    let home = Home::new();
    let tmp = temporary(&home);
    let mut command = home.command(&["demo", "--json"]);
    command.env("TMPDIR", &tmp);
    let ended = Live::start(command).ended();
    assert_eq!(ended.code(), Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let line: Value = serde_json::from_str(&ended.stdout).expect("one document");
    assert_eq!((&line["merged"], &line["audit_ok"]), (&2.into(), &true.into()));
    assert_eq!(ended.stdout.lines().count(), 1);
    assert_eq!(left_over(&tmp), Vec::<std::path::PathBuf>::new());
}

// O40: who stops it stops all of it, and is told where to look.
#[test]
fn o40_an_interrupted_demo_ends_its_processes() {
    let home = Home::new();
    let tmp = temporary(&home);
    let mut command = home.command(&["demo"]);
    command.env("TMPDIR", &tmp);
    let live = Live::start(command);
    let line = live.line("processes", |line| line.contains("(process "));
    let pid = line
        .rsplit_once("(process ")
        .and_then(|(_, rest)| rest.split(')').next())
        .expect("tells its process");
    let server: i32 = pid.parse().expect("is a number");
    assert!(!is_over(server));
    live.signal(Signal::INT);
    let ended = live.ended();
    assert_eq!(ended.code(), Some(1), "{}", ended.stdout);
    assert!(
        ended.stderr.contains("stopped before its end") && ended.stderr.contains("everything is left in")
    );
    wait_for("end of the server", || is_over(server).then_some(()));
}
