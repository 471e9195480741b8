//! What sort of work: an idea for a repository, a command, or anything a worker knows.

use crate::argument;
use crate::exit::Failure;
use clap::Args;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use tiltyard_wire::task;

/// Longest title in characters (`domain.md`); a command's own title is cut there.
const MAX_TITLE_CHARS: usize = 200;

/// What is to be done.
#[derive(Debug, Args)]
#[command(next_help_heading = "Work")]
pub struct Work {
    /// An idea for this repository (kind `change`); the command behind -- is the program that does it
    #[arg(long, value_name = "NAME", conflicts_with_all = ["kind", "env", "cwd"])]
    repo: Option<String>,
    /// What to do, in full; @FILE reads a file, - standard input [default: the title]
    #[arg(long, value_name = "TEXT", requires = "repo")]
    prompt: Option<String>,
    /// The program that does it, by a name that the agent knows
    #[arg(long, value_name = "NAME", requires = "repo", conflicts_with = "argv")]
    program: Option<String>,
    /// When it is right; may be given many times
    #[arg(long, value_name = "TEXT", requires = "repo")]
    criteria: Vec<String>,
    /// What sort of work, for a worker that knows it
    #[arg(long, value_name = "NAME", conflicts_with = "argv")]
    kind: Option<String>,
    /// JSON for the worker; @FILE reads a file, - standard input
    #[arg(long, value_name = "JSON", conflicts_with_all = ["repo", "argv"])]
    payload: Option<String>,
    /// A variable for the command; may be given many times
    #[arg(long = "env", value_name = "NAME=VALUE", requires = "argv", value_parser = variable)]
    env: Vec<(String, String)>,
    /// The folder for the command
    #[arg(long, value_name = "DIR", requires = "argv")]
    cwd: Option<String>,
    /// A command with its arguments; no shell (kind `command`, or the program of an idea)
    #[arg(last = true, value_name = "COMMAND")]
    argv: Vec<String>,
}

impl Work {
    /// Kind, title and payload of the task. A template may know what is not said.
    pub(super) fn body(&self, title: Option<&str>, has_template: bool) -> Result<task::Submit, Failure> {
        let (kind, payload) = match &self.repo {
            Some(repo) => {
                self.has_program(has_template)?;
                ("change".to_owned(), Some(self.idea(repo, title)?))
            }
            None if !self.argv.is_empty() => ("command".to_owned(), Some(self.command()?)),
            None => (self.other(has_template)?, self.payload.as_deref().map(argument::json).transpose()?),
        };
        let title =
            title.map(str::to_owned).or_else(|| self.title()).or_else(|| has_template.then(String::new));
        let title =
            title.ok_or_else(|| Failure::usage("what is it about? Say a title, one line for people"))?;
        Ok(task::Submit { kind, title, payload, ..task::Submit::default() })
    }

    /// No agent chooses a program by itself: without one the task would die as soon as it is taken.
    fn has_program(&self, has_template: bool) -> Result<(), Failure> {
        if has_template || self.program.is_some() || !self.argv.is_empty() {
            return Ok(());
        }
        let missing = Failure::usage("what does it? A change needs a program: put a program behind --");
        Err(missing.hint("for example: -- sh -c 'claude -p \"$TILTYARD_PROMPT\"'"))
    }

    fn other(&self, has_template: bool) -> Result<String, Failure> {
        let missing = || {
            Failure::usage("what is to be done? Say --repo NAME, -- COMMAND, --kind NAME or --template NAME")
        };
        let kind = self.kind.clone().or_else(|| has_template.then(String::new));
        kind.ok_or_else(|| missing().hint("`tiltyard submit --help` has an example of each"))
    }

    /// A command is its own title; the program of an idea says nothing about the idea.
    fn title(&self) -> Option<String> {
        if self.repo.is_some() {
            return None;
        }
        let words = self.argv.join(" ");
        (!words.is_empty()).then(|| words.chars().take(MAX_TITLE_CHARS).collect())
    }

    fn idea(&self, repo: &str, title: Option<&str>) -> Result<Box<RawValue>, Failure> {
        let prompt = self.prompt.as_deref().map(argument::text).transpose()?;
        let prompt = prompt.or_else(|| title.map(str::to_owned)).unwrap_or_default();
        let mut payload = Map::from_iter([
            ("repository".to_owned(), Value::from(repo)),
            ("prompt".to_owned(), prompt.into()),
        ]);
        if let Some(program) = &self.program {
            payload.insert("program".to_owned(), program.as_str().into());
        }
        if !self.argv.is_empty() {
            payload.insert("program".to_owned(), self.argv.clone().into());
        }
        if !self.criteria.is_empty() {
            payload.insert("criteria".to_owned(), self.criteria.clone().into());
        }
        raw(&payload)
    }

    fn command(&self) -> Result<Box<RawValue>, Failure> {
        let mut payload = Map::from_iter([("argv".to_owned(), Value::from(self.argv.clone()))]);
        if !self.env.is_empty() {
            let env: Map<_, _> =
                self.env.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
            payload.insert("env".to_owned(), env.into());
        }
        if let Some(cwd) = &self.cwd {
            payload.insert("cwd".to_owned(), cwd.as_str().into());
        }
        raw(&payload)
    }
}

fn raw(payload: &Map<String, Value>) -> Result<Box<RawValue>, Failure> {
    to_raw_value(payload).map_err(|error| Failure::failed(error.to_string()))
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
