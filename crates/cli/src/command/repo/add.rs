//! `tiltyard repo add`

use super::card;
use crate::context::Context;
use crate::exit::Failure;
use clap::Args;
use std::path::Path;
use tiltyard_client::Request;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::page::ScopeQuery;
use tiltyard_wire::repository::{Check, Protected, Put};

/// Register a repository, or register it differently
///
/// A path is one on the machine of the agent that will hold its mirror. What is not said here is taken from
/// .tiltyard.toml at the repository's root; docs/guide/changes.md has an example with every key.
#[derive(Debug, Args)]
pub struct Add {
    /// Its name, a slug
    name: String,
    /// Path of a local repository, or address of a remote one
    place: String,
    /// The target branch
    #[arg(long, value_name = "NAME", default_value = "main")]
    branch: String,
    /// The agent that holds its mirror [default: the only one that is connected]
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Where it belongs
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,
    /// How changes land: fast_forward or squash
    #[arg(long, value_name = "WORD")]
    merge: Option<String>,
    /// Which changes merge by themselves: safe or off
    #[arg(long, value_name = "WORD")]
    auto_merge: Option<String>,
    /// A check, as NAME=PROGRAM and its arguments separated by blanks; may be given many times
    #[arg(long = "check", value_name = "CHECK", value_parser = check)]
    checks: Vec<Check>,
    /// A path whose change needs a decision, as a glob; may be given many times
    #[arg(long = "protect", value_name = "GLOB")]
    protected: Vec<String>,
    /// Who decides, such as "2 of role:operator"
    #[arg(long, value_name = "RULE")]
    approvers: Option<String>,
    /// Changes that are worked on at once
    #[arg(long, value_name = "COUNT")]
    concurrency: Option<u32>,
}

impl Add {
    /// Registers it.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn run(&self, context: &Context) -> Result<(), Failure> {
        let request = Request::<call::RepositoryPut>::new()
            .place(&self.name)
            .query(ScopeQuery { scope: self.scope.clone() })
            .body(self.body(&context.environment.folder));
        let repository = context.client()?.call(request).await?;
        if context.output.is_json() {
            return context.output.json(&repository);
        }
        context.output.card(&card(&repository))
    }

    fn body(&self, folder: &Path) -> Put {
        let is_url = is_url(&self.place);
        Put {
            url: is_url.then(|| self.place.clone()),
            path: (!is_url).then(|| whole_path(folder, &self.place)),
            branch: Some(self.branch.clone()),
            agent: self.agent.clone(),
            merge: self.merge.clone(),
            auto_merge: self.auto_merge.clone(),
            checks: (!self.checks.is_empty()).then(|| self.checks.clone()),
            protected: (!self.protected.is_empty())
                .then(|| self.protected.iter().cloned().map(Protected::Path).collect()),
            approvers: self.approvers.clone(),
            concurrency: self.concurrency,
            ..Put::default()
        }
    }
}

/// `https://…`, `ssh://…` or git's short form `user@host:path`.
fn is_url(place: &str) -> bool {
    let short = place.split_once(':').is_some_and(|(front, _)| front.contains('@') && !front.contains('/'));
    place.contains("://") || short
}

/// The agent stands somewhere else, so a path is made whole here. Links are followed where that can be done.
fn whole_path(folder: &Path, place: &str) -> String {
    let path = folder.join(place);
    path.canonicalize().unwrap_or(path).display().to_string()
}

/// What only a shell understands.
const SHELL_WORDS: &[&str] = &["&&", "||", "|", ";", "&", ">", ">>", "<", "2>&1"];

fn check(text: &str) -> Result<Check, String> {
    let (name, line) =
        text.split_once('=').ok_or("expected NAME=PROGRAM ARGUMENTS, such as tests=make test")?;
    let argv: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    if name.is_empty() || argv.is_empty() {
        return Err("expected NAME=PROGRAM ARGUMENTS, such as tests=make test".to_owned());
    }
    if let Some(word) = argv.iter().find(|word| SHELL_WORDS.contains(&word.as_str())) {
        return Err(format!(
            "no shell reads a check, so `{word}` would be an argument of {}: put the line into a script, or write \
             argv = [\"sh\", \"-c\", \"…\"] in .tiltyard.toml",
            argv[0]
        ));
    }
    Ok(Check { name: name.to_owned(), argv, timeout_ms: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_apart() {
        for url in ["https://git.example/a.git", "ssh://git@host/a", "git@host:a/b.git", "file:///srv/a"] {
            assert!(is_url(url), "{url}");
        }
        for path in ["/srv/a", "../a", "a", "./with@at:colon/x"] {
            assert!(!is_url(path), "{path}");
        }
        assert_eq!(whole_path(Path::new("/nowhere"), "x"), "/nowhere/x");
    }

    #[test]
    fn a_check_is_a_name_and_an_argv() {
        let read = check("tests=make -s test").expect("is one");
        assert_eq!(
            (read.name.as_str(), read.argv),
            ("tests", vec!["make".into(), "-s".into(), "test".into()])
        );
        assert!(check("tests").is_err() && check("tests=").is_err());
        assert!(check("tests=test -f a && echo ok").is_err_and(|why| why.contains("no shell reads a check")));
    }
}
