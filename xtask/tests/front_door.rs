//! O40: `make …` works from a fresh clone with git, make and a toolchain, under an empty HOME, and says what is
//! missing where something is.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// `xtask/cargo.sh --version` with nothing in its environment but these.
fn cargo_sh(path: &std::ffi::OsStr, home: &Path) -> Output {
    let mut command = Command::new("/bin/sh");
    command
        .arg(root().join("xtask/cargo.sh"))
        .arg("--version")
        .env_clear()
        .env("PATH", path)
        .env("HOME", home);
    command.output().expect("sh runs")
}

/// A folder for PATH that holds what the script itself is written with, and the named programs as links to `true`.
fn programs(folder: &Path, fake: &[&str]) {
    for tool in ["dirname", "basename", "id"] {
        let real = ["/usr/bin", "/bin"].map(|place| Path::new(place).join(tool));
        let real = real.iter().find(|path| path.exists()).expect("a POSIX system");
        symlink(real, folder.join(tool)).expect("is linked");
    }
    for name in fake {
        symlink("/bin/true", folder.join(name)).expect("is linked");
    }
}

#[test]
fn o40_the_toolchain_is_found_under_an_empty_home() {
    let home = tempfile::tempdir().expect("a folder");
    let output = cargo_sh(&std::env::var_os("PATH").expect("PATH is set"), home.path());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.starts_with("cargo 1."), "{output:?}");
    assert_eq!(std::fs::read_dir(home.path()).expect("is there").count(), 0, "the home stays empty");
}

#[test]
fn o40_missing_programs_are_named_with_the_command_that_installs_them() {
    let folder = tempfile::tempdir().expect("a folder");
    programs(folder.path(), &["curl"]);
    let output = cargo_sh(folder.path().as_os_str(), folder.path());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("missing on this machine: git gcc") && text.contains("apt-get install git gcc"),
        "{text}"
    );
}

#[test]
fn o40_a_missing_toolchain_says_where_to_get_one() {
    let folder = tempfile::tempdir().expect("a folder");
    programs(folder.path(), &["git", "curl", "cc"]);
    let output = cargo_sh(folder.path().as_os_str(), folder.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("https://rustup.rs"));
}

#[test]
fn the_front_door_lists_every_door() {
    let text = std::fs::read_to_string(root().join("Makefile")).expect("is there");
    let declared = text.lines().find_map(|line| line.strip_prefix(".PHONY: ")).expect("says .PHONY");
    // Inside `make test` an inner make would also print the folders that it enters and leaves.
    let output = Command::new("make")
        .args(["--no-print-directory", "help"])
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .current_dir(root())
        .output()
        .expect("make runs");
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    for target in declared.split_whitespace() {
        assert!(help.contains(&format!("make {target} ")), "{target} is not in make help:\n{help}");
    }
    assert_eq!(help.lines().count(), declared.split_whitespace().count());
}
