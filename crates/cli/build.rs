//! Tells the program what it is built from: commit, time of the commit, compiler, target.

use std::process::Command;

fn main() {
    let env = |name: &str| std::env::var(name).unwrap_or_default();
    tell("BUILD_COMMIT", &output("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or("unknown".into()));
    let commit_time = || output("git", &["show", "--no-patch", "--format=%ct", "HEAD"]);
    let seconds = Some(env("SOURCE_DATE_EPOCH")).filter(|text| !text.is_empty()).or_else(commit_time);
    tell("BUILD_SECONDS", &seconds.unwrap_or_default());
    tell("BUILD_COMPILER", &output(&env("RUSTC"), &["--version"]).unwrap_or("unknown".into()));
    tell("BUILD_TARGET", &env("TARGET"));
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rerun-if-changed=build.rs");
    // The log of HEAD grows with every commit and every switch of branch.
    if let Some(log) = output("git", &["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"])
        && std::path::Path::new(&log).exists()
    {
        println!("cargo::rerun-if-changed={log}");
    }
}

fn tell(name: &str, value: &str) {
    println!("cargo::rustc-env={name}={value}");
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
