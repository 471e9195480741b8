//! Before a task of kind `change` enters: its idea is examined, and what its agent needs is added, so that the agent
//! has to ask for nothing.

use crate::act::Act;
use crate::repository::usable;
use tiltyard_model::change::work::{
    ChangePayload, Given, Idea, MAX_CRITERIA, MAX_IDEA_BYTES, Program, Start,
};
use tiltyard_model::refusal::{Fault, Refusal};
use tiltyard_model::repository::Repository;
use tiltyard_model::repository::settings::{MAX_ARGV_WORD_BYTES, MAX_ARGV_WORDS};
use tiltyard_model::slug::is_slug;
use tiltyard_model::task::{Concurrency, Spec};

/// Longest name of a known program, in bytes.
const MAX_PROGRAM_BYTES: usize = 64;

/// The task as it enters: with the payload that its agent gets.
///
/// # Errors
/// 422 with every wrong field of the payload; 422 `unknown_repository`, `repository_unusable`.
pub fn prepare(act: &Act<'_>, spec: &Spec) -> Result<Spec, Refusal> {
    let idea: Idea = serde_json::from_str(&spec.payload)
        .map_err(|error| Refusal::field("/payload", format!("is no idea for a change: {error}")))?;
    let scope = act.scope_key(&spec.scope)?;
    Refusal::from_faults(faults(&idea)).map_or(Ok(()), Err)?;
    let repository = usable(act, scope, &idea.repository)?;
    let mut spec = spec.clone();
    spec.payload = payload(idea, &spec.title, &repository)?;
    if spec.extras.concurrency.is_none() {
        spec.extras.concurrency = concurrency(&repository);
    }
    Ok(spec)
}

/// Where the repository's setting limits how many of its changes are worked on at once.
fn concurrency(repository: &Repository) -> Option<Concurrency> {
    let limit = repository.registration.settings.concurrency?;
    Some(Concurrency { key: format!("change:{}", repository.registration.name), limit })
}

fn faults(idea: &Idea) -> Vec<Fault> {
    let mut found = Vec::new();
    let mut check = |ok: bool, field: &str, error: &str| {
        if !ok {
            found.push(Fault { field: format!("/payload{field}"), error: error.to_owned() });
        }
    };
    check(is_slug(&idea.repository), "/repository", "must name a registered repository");
    check(idea.criteria.len() <= MAX_CRITERIA, "/criteria", "at most 100 criteria");
    let program = match &idea.program {
        None => true,
        Some(Program::Known(name)) => {
            (1..=MAX_PROGRAM_BYTES).contains(&name.len()) && !name.chars().any(char::is_control)
        }
        Some(Program::Argv(words)) => {
            let fits = |word: &String| word.len() <= MAX_ARGV_WORD_BYTES && !word.contains('\0');
            let named = words.first().is_some_and(|program| !program.is_empty());
            named && words.len() <= MAX_ARGV_WORDS && words.iter().all(fits)
        }
    };
    let rule = "must be the name of a known program, or a program and its arguments: at most 64 words of 4,096 bytes";
    check(program, "/program", rule);
    check(super::case::bytes_of(idea) <= MAX_IDEA_BYTES, "", "must be at most 128 KiB of JSON for a change");
    found
}

fn payload(idea: Idea, title: &str, repository: &Repository) -> Result<String, Refusal> {
    let prompt = if idea.prompt.trim().is_empty() { title.to_owned() } else { idea.prompt };
    let given =
        Given { repository: repository.place(), change: None, start: Start::Base, feedback: Vec::new() };
    let Idea { repository, program, criteria, .. } = idea;
    write(&ChangePayload { repository, prompt, program, criteria, given })
}

/// The JSON text of a payload.
pub(super) fn write(payload: &ChangePayload) -> Result<String, Refusal> {
    use tiltyard_model::refusal::Code;
    serde_json::to_string(payload)
        .map_err(|error| Refusal::new(Code::Internal, format!("a payload cannot be written: {error}")))
}
