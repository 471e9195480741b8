//! Processes: the server starts none.

use super::{Finding, House, Law};

pub(super) const LAW: Law = Law {
    name: "process",
    why: "the server holds every token and every scope's data: what it starts would run with them, so all execution goes through an agent",
    mend: "make it a task for an agent, as checks and merges are (queue `git`)",
    check,
};

/// Floors that may not start a process.
const QUIET: &[&str] = &["model", "wire", "store", "engine", "client", "server"];

fn check(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rust in house.rust.iter().filter(|rust| QUIET.contains(&rust.krate())) {
        for word in ["process::Command", "Command::new"] {
            let lines = rust.product_lines_with(word);
            let what = format!("`{word}`: `{}` starts no process", rust.krate());
            findings.extend(lines.into_iter().map(|line| Finding::new(&rust.path, line, what.clone())));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_agent_and_command_line_start_processes() {
        let text = "fn a() { Command::new(1) }";
        assert_eq!(check(&House::of(&[("crates/server/src/x.rs", text)])).len(), 1);
        assert_eq!(check(&House::of(&[("crates/agent/src/x.rs", text)])).len(), 0);
    }
}
