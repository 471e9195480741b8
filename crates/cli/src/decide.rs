//! Deciding from a terminal: what is decided is shown, and the decision names its digest (D24).

use crate::context::Context;
use crate::exit::Failure;
use crate::output::card::Card;
use clap::Args;
use serde::Serialize;
use std::io::{BufRead, IsTerminal, Write};
use tiltyard_client::{Client, Request};
use tiltyard_model::id::{Id, Noun};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::{change, gate};

/// Fewest digits of a digest that are taken for the whole.
pub const MIN_DIGEST_CHARS: usize = 12;

/// What the person says they have seen.
#[derive(Debug, Args)]
pub struct Seen {
    /// The digest of what you saw, whole or its first 12 digits or more
    #[arg(long, value_name = "SHA256")]
    pub subject: Option<String>,
}

/// What is to be decided on.
#[derive(Debug)]
pub enum Subject {
    /// A change.
    Change(Box<change::View>),
    /// A gate.
    Gate(Box<gate::View>),
}

impl Subject {
    /// Fetches it as it is now.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn fetch(client: &Client, id: Id) -> Result<Self, Failure> {
        if id.noun() == Noun::Change {
            return Ok(Self::Change(Box::new(
                client.call(Request::<call::ChangeGet>::new().place(id)).await?,
            )));
        }
        Ok(Self::Gate(Box::new(client.call(Request::<call::GateGet>::new().place(id)).await?)))
    }

    fn digest(&self) -> Option<&str> {
        match self {
            Self::Change(change) => change.subject_sha256.as_deref(),
            Self::Gate(gate) => Some(&gate.subject_sha256),
        }
    }

    fn card(&self) -> Card {
        match self {
            Self::Change(change) => crate::command::changes::card(change),
            Self::Gate(gate) => Card::new()
                .line("id", gate.id.to_string())
                .line("about", format!("{} {}: {}", gate.subject.kind, gate.subject.id, gate.subject.title))
                .line("state", &gate.state)
                .line("who", &gate.who)
                .line("digest", &gate.subject_sha256)
                .block("Reasons", gate.reasons.join("\n")),
        }
    }
}

/// The digest to decide with: the one that was named, or, on a terminal, the one that has just been shown and
/// said yes to.
///
/// # Errors
/// When there is nothing to decide on yet, when it is not what was seen, or when the answer is no.
pub fn ask(context: &Context, subject: &Subject, seen: &Seen, act: &str) -> Result<String, Failure> {
    let none = || Failure::failed("there is nothing to decide on yet: its diff has not been uploaded");
    let digest = subject.digest().ok_or_else(none)?;
    match &seen.subject {
        Some(named) => matching(named, digest),
        None => shown(context, subject, act).map(|()| digest.to_owned()),
    }
}

fn matching(named: &str, digest: &str) -> Result<String, Failure> {
    let named = named.to_ascii_lowercase();
    if named.len() < MIN_DIGEST_CHARS {
        return Err(Failure::usage(format!(
            "--subject needs at least {MIN_DIGEST_CHARS} digits of the digest"
        )));
    }
    if !digest.starts_with(&named) {
        let changed =
            Failure::new(crate::exit::Exit::Refused, "it is not what you saw: the digest is another one now");
        return Err(changed.hint("look at it again, then decide on what it is now"));
    }
    Ok(digest.to_owned())
}

fn shown(context: &Context, subject: &Subject, act: &str) -> Result<(), Failure> {
    if context.output.is_json() || !std::io::stdin().is_terminal() {
        let missing = Failure::usage("a decision binds what was seen: say --subject with its digest");
        return Err(missing.hint("`tiltyard changes ID` shows it"));
    }
    context.output.card(&subject.card())?;
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "\n{act}? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(Failure::failed("not decided")) }
}

/// Prints what a decision did.
///
/// # Errors
/// When standard output is closed.
pub fn print(
    context: &Context,
    answer: &impl Serialize,
    gate: &gate::View,
    replayed: bool,
) -> Result<(), Failure> {
    if context.output.is_json() {
        return context.output.json(answer);
    }
    let note = if replayed { ", as you had said before" } else { "" };
    let waits = if gate.state == "open" { format!("; it still needs {}", gate.who) } else { String::new() };
    context.output.line(&format!(
        "{}  {}{note}{}",
        gate.id,
        gate.state,
        tiltyard_model::visible::line(&waits)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    // D24: a decision carries the digest of what was seen.
    #[test]
    fn d24_a_decision_names_what_was_seen() {
        let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        assert_eq!(matching("9F86D081884C", digest), Ok(digest.to_owned()));
        assert_eq!(matching(digest, digest), Ok(digest.to_owned()));
        assert_eq!(matching("9f86d081", digest).map_err(|failure| failure.exit), Err(Exit::Usage));
        assert_eq!(matching("aaaaaaaaaaaa", digest).map_err(|failure| failure.exit), Err(Exit::Refused));
    }
}
