//! The groups of `tiltyard --help`. A command that no group names does not pass the tests.

use clap::Command;
use std::fmt::Write;

/// Every group with its commands, in the order of the help.
pub const GROUPS: &[(&str, &[&str])] = &[
    ("Run", &["up", "server", "agent", "demo"]),
    (
        "Work",
        &[
            "submit",
            "batch",
            "tasks",
            "why",
            "run",
            "runs",
            "pipelines",
            "inbox",
            "approve",
            "reject",
            "gates",
            "changes",
            "repo",
            "dead-letters",
            "cancel",
            "retry",
            "queues",
            "schedule",
        ],
    ),
    ("Watch", &["events", "logs", "ui"]),
    ("Share", &["token"]),
    ("Keep", &["migrate", "store", "audit"]),
    ("Check", &["doctor", "config", "version", "completions"]),
];

/// The same command line, with its help in groups.
pub fn arrange(line: Command) -> Command {
    let listing = listing(&line);
    line.before_help(listing)
        .help_template("{about-with-newline}\n{usage-heading} {usage}\n\n{before-help}Options:\n{options}")
}

/// clap has no groups of commands, so their list is written here, from the commands that there are.
fn listing(line: &Command) -> String {
    let mut text = String::new();
    for (title, names) in GROUPS {
        let known = names.iter().filter_map(|name| line.find_subcommand(name));
        let lines: String = known.map(entry).collect();
        if !lines.is_empty() {
            write!(text, "{title}:\n{lines}\n").expect("a String takes any text");
        }
    }
    text.trim_end().to_owned()
}

fn entry(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    format!("  {:<13} {about}\n", command.get_name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Cli;
    use clap::CommandFactory;

    // O3: subcommands, grouped in --help.
    #[test]
    fn o3_every_command_is_in_one_group_and_says_what_it_does() {
        let line = Cli::command();
        for command in line.get_subcommands().filter(|command| !command.is_hide_set()) {
            let groups = GROUPS.iter().filter(|(_, names)| names.contains(&command.get_name())).count();
            assert_eq!(groups, 1, "{} is in {groups} groups", command.get_name());
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
        }
        line.debug_assert();
    }
}
