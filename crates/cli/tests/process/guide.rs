//! The commands of `docs/guide/first-ten-minutes.md`, as a newcomer runs them.

use crate::live::{Home, Live, wait_for};
use rustix::process::Signal;
use std::path::Path;
use std::process::Command;

const GUIDE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/first-ten-minutes.md"));

/// Every block that is marked as shell, in order.
fn shell_blocks() -> Vec<&'static str> {
    GUIDE.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block).collect()
}

/// Runs one block in `folder` with the binary in the PATH, and says what it printed.
fn run(home: &Home, folder: &Path, block: &str) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_tiltyard")).parent().expect("is in a folder");
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell
        .args(["-e", "-c", block])
        .env_clear()
        .env("HOME", home.path(""))
        .env("PATH", path)
        .current_dir(folder);
    let output = shell.output().expect("a shell is here");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{block}\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

// O44: the commands of the guide are run by a test. C19, C22, C23, D10, D52 are what they show.
#[test]
fn o44_the_first_ten_minutes_work_as_they_are_written() {
    let home = Home::new();
    let up = Live::start(home.command(&["up", "--json", "--listen", "127.0.0.1:0"]));
    up.line("first line", |line| line.contains("\"url\""));
    let hello = home.path("hello");
    let mut said = String::new();
    for (number, block) in shell_blocks().into_iter().enumerate() {
        let folder = if number == 0 { home.path("") } else { hello.clone() };
        said.push_str(&run(&home, &folder, block));
    }
    for told in ["Tell who can be greeted", "as it should be", "Never works", "whole: "] {
        assert!(said.contains(told), "{told:?} is missing in:\n{said}");
    }

    let waiting = wait_for("change that waits", || {
        let found = home.ask(&["changes", "--state", "review"]);
        found["items"].as_array()?.first().cloned()
    });
    assert_eq!((&waiting["title"], &waiting["tier"]), (&"Greet politely".into(), &2.into()));
    let text = |name: &str| waiting[name].as_str().expect("is text").to_owned();
    home.ask(&["approve", &text("id"), "--subject", &text("subject_sha256")]);
    wait_for("merge", || (home.ask(&["changes", &text("id")])["state"] == "merged").then_some(()));
    assert_eq!(run(&home, &hello, "git rev-list --count main").trim(), "3");
    assert!(run(&home, &hello, "cat hello.sh").contains(": be polite"));

    up.signal(Signal::INT);
    let ended = up.ended();
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
}
