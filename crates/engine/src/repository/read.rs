//! Reads of repositories: one, many, their rules, and what a diff would weigh there.

use crate::act::refusal_of;
use tiltyard_model::change::diff;
use tiltyard_model::change::weigh::{Checks, Evidence, Weight, weigh as weight_of};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::repository::Repository;
use tiltyard_model::repository::rules::{BaseFile, Rules, effective};
use tiltyard_model::role::{Caller, Reach};
use tiltyard_store::Rows;
use tiltyard_store::repository;
/// Where a page lies, by scope and name.
pub use tiltyard_store::repository::Window;

/// Up to here the total of a list is exact.
const MAX_EXACT_TOTAL: u32 = 10_000;

/// A page of repositories.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// By scope and name.
    pub items: Vec<Repository>,
    /// The scope and the name after which the next page begins.
    pub next: Option<(String, String)>,
    /// How many there are in all, counted up to 10,001.
    pub total: u64,
}

/// One repository of a scope that the caller may see.
///
/// # Errors
/// 404.
pub fn get(rows: &Rows, caller: &Caller, scope: &str, name: &str) -> Result<Repository, Refusal> {
    let found = repository::find(rows, scope, name).map_err(refusal_of)?;
    found.filter(|_| caller.reach.covers(scope)).ok_or_else(|| Refusal::missing("repository", name))
}

/// A page of the repositories that the caller may see.
///
/// # Errors
/// When the store is broken.
pub fn page(rows: &Rows, caller: &Caller, window: &Window<'_>) -> Result<Page, Refusal> {
    let scopes = match &caller.reach {
        Reach::All => None,
        Reach::Only(scopes) => Some(scopes.as_slice()),
    };
    let wider = Window { limit: window.limit + 1, ..window.clone() };
    let mut items = repository::page(rows, scopes, &wider).map_err(refusal_of)?;
    let more = items.len() > window.limit as usize;
    items.truncate(window.limit as usize);
    let last = items.last().filter(|_| more);
    let next = last.map(|last| (last.scope.clone(), last.registration.name.clone()));
    let total = repository::count(rows, scopes, MAX_EXACT_TOTAL + 1).map_err(refusal_of)?;
    Ok(Page { items, next, total })
}

/// The rules in force at the target branch as it was last seen.
pub fn rules(known: &Repository) -> Rules {
    effective(&known.registration.settings, &BaseFile::of(known.rules.as_ref()))
}

/// What a diff would weigh there, as if its checks were green and no secret in it (C22, `--dry-run`).
///
/// # Errors
/// 422 for what is no diff, and for one without a file.
pub fn weigh(known: &Repository, text: &[u8]) -> Result<Weight, Refusal> {
    let files = diff::parse(text).map_err(|bad| Refusal::field("/diff", bad.to_string()))?;
    if files.is_empty() {
        return Err(Refusal::field("/diff", "holds no file: send what `git diff` prints"));
    }
    let rules = rules(known);
    let evidence = Evidence { files: &files, rules: &rules, checks: Checks::Assumed, secrets: &[] };
    Ok(weight_of(&evidence))
}
