//! Deciding from a terminal: what is decided is shown, and the decision names its digest (D24).

pub mod document;

use crate::context::Context;
use crate::exit::Failure;
use crate::output::card::Card;
use clap::Args;
use document::Patched;
use serde::Serialize;
use std::io::{BufRead, IsTerminal, Write};
use tiltyard_client::{Client, Request};
use tiltyard_model::id::{Id, Noun};
use tiltyard_model::visible;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::{change, gate};

/// Fewest digits of a digest that are taken for the whole.
pub const MIN_DIGEST_CHARS: usize = 12;

/// Most lines of a diff or a document that are shown before a decision.
const MAX_DIFF_LINES_SHOWN: usize = 200;
/// Most gates that a run is said to wait at.
const MAX_GATES_NAMED: u32 = 20;

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
    /// Fetches it as it is now; of a run, the gate that it waits at.
    ///
    /// # Errors
    /// Those of the calls; for a run that waits at no gate, or at several.
    pub async fn fetch(client: &Client, id: Id) -> Result<Self, Failure> {
        if id.noun() == Noun::Change {
            return Ok(Self::Change(Box::new(
                client.call(Request::<call::ChangeGet>::new().place(id)).await?,
            )));
        }
        if id.noun() == Noun::Run {
            return of_run(client, id).await.map(|gate| Self::Gate(Box::new(gate)));
        }
        Ok(Self::Gate(Box::new(client.call(Request::<call::GateGet>::new().place(id)).await?)))
    }

    fn digest(&self) -> Option<&str> {
        match self {
            Self::Change(change) => change.subject_sha256.as_deref(),
            Self::Gate(gate) => Some(&gate.subject_sha256),
        }
    }

    /// The change that is decided on, where it is one.
    fn change(&self) -> Option<Id> {
        match self {
            Self::Change(change) => Some(change.id),
            Self::Gate(gate) if gate.subject.kind == "change" => gate.subject.id.parse().ok(),
            Self::Gate(_) => None,
        }
    }

    /// What the decision is sent to.
    pub fn id(&self) -> Id {
        match self {
            Self::Change(change) => change.id,
            Self::Gate(gate) => gate.id,
        }
    }

    /// What a patch makes of it.
    ///
    /// # Errors
    /// When the file holds no patch, or one that does not fit.
    pub async fn patched(&self, client: &Client, path: Option<&str>) -> Result<Option<Patched>, Failure> {
        let Some(path) = path else { return Ok(None) };
        match self {
            Self::Gate(gate) => Patched::of(client, gate, path).await.map(Some),
            Self::Change(change) => Err(Failure::usage("--patch is for a gate of a run").hint(format!(
                "`tiltyard changes send-back {} --comment TEXT` has it done differently",
                change.id
            ))),
        }
    }

    fn card(&self) -> Card {
        match self {
            Self::Change(change) => crate::command::changes::card(change),
            Self::Gate(gate) => card(gate),
        }
    }
}

/// A gate in full.
pub fn card(gate: &gate::View) -> Card {
    let attempt = gate.attempt.filter(|attempt| *attempt > 1).map(|attempt| format!(", attempt {attempt}"));
    let item = gate.item.map(|item| format!("#{item}"));
    let part = [item, attempt].into_iter().flatten().collect::<String>();
    let place = gate.run.zip(gate.stage.as_ref()).map(|(run, stage)| format!("{run}, stage {stage}{part}"));
    let document = gate.artifact.as_ref();
    Card::new()
        .line("id", gate.id.to_string())
        .line("about", format!("{} {}: {}", gate.subject.kind, gate.subject.id, gate.subject.title))
        .maybe("run", place)
        .line("state", &gate.state)
        .line("who", &gate.who)
        .maybe("also", gate.escalated_to.as_ref())
        .maybe("until", gate.expires_at.filter(|_| gate.state == "open").map(crate::moment::short))
        .line("digest", &gate.subject_sha256)
        .maybe("document", document.map(|found| format!("{}, {} bytes", found.media_type, found.size)))
        .maybe("back to", gate.back.as_ref().and_then(|back| back.to_stage.as_ref()))
        .block("Question", gate.text.as_deref().unwrap_or_default())
        .block("Reasons", gate.reasons.join("\n"))
        .block("Votes", votes(gate))
        .block("Votes on an earlier version", lines(&gate.void_votes))
        .block("Still missing", gate.missing.join("\n"))
}

/// The gate that a run waits at.
async fn of_run(client: &Client, run: Id) -> Result<gate::View, Failure> {
    let filter = gate::Filter {
        run: Some(run.to_string()),
        state: Some("open".to_owned()),
        limit: Some(MAX_GATES_NAMED),
        ..gate::Filter::default()
    };
    let mut gates = client.call(Request::<call::GateList>::new().query(filter)).await?.items;
    if gates.len() > 1 {
        let names: Vec<String> = gates.iter().map(named).collect();
        let many = Failure::usage(format!("{run} waits at {} gates: say which one", gates.len()));
        return Err(many.hint(names.join("; ")));
    }
    gates.pop().ok_or_else(|| Failure::failed(format!("{run} waits at no gate: there is nothing to decide")))
}

fn named(gate: &gate::View) -> String {
    format!("{} ({})", gate.id, visible::line(gate.stage.as_deref().unwrap_or(&gate.subject.title)))
}

/// The digest to decide with: the one that was named, or, on a terminal, the one that has just been shown and
/// said yes to.
///
/// # Errors
/// When there is nothing to decide on yet, when it is not what was seen, or when the answer is no.
pub async fn ask(
    context: &Context,
    client: &Client,
    (subject, patched): (&Subject, Option<&Patched>),
    seen: &Seen,
    act: &str,
) -> Result<String, Failure> {
    let none = || Failure::failed("there is nothing to decide on yet: its diff has not been uploaded");
    let digest = subject.digest().ok_or_else(none)?;
    match &seen.subject {
        Some(named) => matching(named, digest),
        None => shown(context, client, (subject, patched), act).await.map(|()| digest.to_owned()),
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

async fn shown(
    context: &Context,
    client: &Client,
    (subject, patched): (&Subject, Option<&Patched>),
    act: &str,
) -> Result<(), Failure> {
    if context.output.is_json() || !std::io::stdin().is_terminal() {
        let missing = Failure::usage("a decision binds what was seen: say --subject with its digest");
        return Err(missing.hint(ready_line(subject, act)));
    }
    context.output.card(&subject.card())?;
    if let Some(change) = subject.change() {
        // After the digest was read: should it change in between, the server refuses the older digest.
        let diff = client.text(Request::<call::ChangeDiff>::new().place(change)).await?;
        context.output.raw(&format!("\n{}", first_lines(&diff, &format!("changes diff {change}"))))?;
    }
    if let Subject::Gate(gate) = subject {
        let shown = match patched {
            Some(patched) => Some(patched.difference()),
            None => document::text(client, gate).await?,
        };
        if let Some(shown) = shown {
            let rest = format!("gates show {} --subject", gate.id);
            context.output.raw(&format!("\n{}", first_lines(&shown, &rest)))?;
        }
    }
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "\n{act}? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(Failure::failed("not decided")) }
}

/// The command that decides without being asked, for who has looked.
fn ready_line(subject: &Subject, act: &str) -> String {
    let (id, act) = match act {
        "Send back" => (subject.id(), "changes send-back".to_owned()),
        act => (subject.id(), act.to_lowercase()),
    };
    let digest = subject.digest().and_then(|digest| digest.get(..MIN_DIGEST_CHARS)).unwrap_or("DIGEST");
    let look = match subject.change() {
        Some(change) => format!("`tiltyard changes diff {change}` shows it; "),
        None => format!("`tiltyard gates show {id} --subject` shows it; "),
    };
    let reason = match act.as_str() {
        "approve" => "",
        "reject" => " --reason TEXT",
        _ => " --comment TEXT",
    };
    format!("{look}then `tiltyard {act} {id} --subject {digest}{reason}`")
}

/// As much of a diff as fits before a question, and where the rest is.
fn first_lines(diff: &str, rest: &str) -> String {
    let mut shown = String::new();
    for line in diff.lines().take(MAX_DIFF_LINES_SHOWN) {
        shown.push_str(&visible::line(line));
        shown.push('\n');
    }
    let more = diff.lines().count().saturating_sub(MAX_DIFF_LINES_SHOWN);
    if more > 0 {
        shown.push_str(&format!("… {more} more lines: `tiltyard {rest}` shows all of it\n"));
    }
    shown
}

/// The votes at a gate, one a line.
pub fn votes(gate: &gate::View) -> String {
    lines(&gate.votes)
}

fn lines(votes: &[gate::Vote]) -> String {
    let line = |vote: &gate::Vote| {
        let said = vote.comment.as_deref().map(|text| format!(": {text}")).unwrap_or_default();
        let said = if vote.patch.is_some() { format!(", with a patch{said}") } else { said };
        format!("{}  {}  {}{said}", vote.vote, vote.identity, crate::moment::short(vote.at))
    };
    votes.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What an open gate waits for, and the command where it is the same person's turn again.
fn waits(gate: &gate::View) -> String {
    if gate.state != "open" {
        return String::new();
    }
    let missing = if gate.missing.is_empty() { gate.who.clone() } else { gate.missing.join("; ") };
    let again = if gate.quorum.as_deref() == Some("reduced") {
        let id = if gate.run.is_some() { gate.id.to_string() } else { gate.subject.id.clone() };
        let (id, digest) = (&id, gate.subject_sha256.get(..MIN_DIGEST_CHARS).unwrap_or("DIGEST"));
        format!("\nto confirm: tiltyard approve {id} --subject {digest} --confirm {id}")
    } else {
        String::new()
    };
    format!("; still missing: {}{}", visible::line(&missing), visible::block(&again))
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
    context.output.line(&format!("{}  {}{note}{}", gate.id, gate.state, waits(gate)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    // D24: what a person says yes to is before their eyes, and hostile text in it obeys nothing.
    #[test]
    fn d24_the_diff_is_shown_and_a_long_one_says_where_the_rest_is() {
        let short = first_lines("+one\n+\u{1b}[2Jtwo\n", "changes diff X");
        assert!(
            short.starts_with("+one\n") && !short.contains('\u{1b}') && short.lines().count() == 2,
            "{short}"
        );
        let long = "+x\n".repeat(MAX_DIFF_LINES_SHOWN + 7);
        let last = first_lines(&long, "changes diff X");
        let last = last.lines().last().expect("has lines").to_owned();
        assert_eq!(last, "… 7 more lines: `tiltyard changes diff X` shows all of it");
    }

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
