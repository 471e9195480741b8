//! Pipelines: definitions that are published under a name, each other content a number of it (D20).
//!
//! A definition is read outside of the door ([`reading`]), for that takes a while; the deed keeps what was read. Runs name a version,
//! by its key, and never a name: what a name stands for may become something else while they are under way.

pub mod known;
pub mod reading;

use crate::act::record::Told;
use crate::act::{Act, refusal_of};
use crate::scope::{may_name, of_read};
use reading::Checked;
use serde_json::Value;
use std::sync::Arc;
use tiltyard_model::audit::Action;
use tiltyard_model::event::{PipelineDeleted, PipelinePublished, Subject};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::Caller;
use tiltyard_model::slug::is_slug;
use tiltyard_store::Rows;
use tiltyard_store::pipeline::{self, Publication, Version};
/// What is listed, and which part of a list.
pub use tiltyard_store::pipeline::{Published, Window};

/// Most pipelines of a scope.
pub const MAX_PIPELINES: usize = 1_000;
/// Up to here the total of a list is exact.
const MAX_EXACT_TOTAL: u32 = 10_000;

/// A page of pipelines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// By scope and name.
    pub items: Vec<Published>,
    /// The scope and name after which the next page begins.
    pub next: Option<(String, String)>,
    /// How many there are in all, counted up to 10,001.
    pub total: u64,
}

/// A pipeline with its definition.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// What is listed of it.
    pub published: Published,
    /// Its definition as it was sent first.
    pub source: String,
    /// The JSON Schema of its input.
    pub input: Option<Value>,
}

/// Whether publishing changed what a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The name is new, or was deleted.
    Made,
    /// It stands for another content, under the next number.
    Changed,
    /// It stood for this very content: nothing was written.
    Same,
}

/// A definition that is to be published.
#[derive(Debug, Clone)]
pub struct Publish {
    /// The scope.
    pub scope: String,
    /// The name.
    pub name: String,
    /// The definition.
    pub checked: Arc<Checked>,
}

/// A page of the pipelines that the caller may see; of one scope when it is named.
///
/// # Errors
/// 403 `scope_forbidden` for a scope that the caller does not have.
pub fn page(rows: &Rows, caller: &Caller, scope: Option<&str>, window: &Window) -> Result<Page, Refusal> {
    let scopes = of_read(caller, scope)?;
    let wider = Window { limit: window.limit + 1, ..window.clone() };
    let mut items = pipeline::page(rows, scopes.as_deref(), &wider).map_err(refusal_of)?;
    let more = items.len() > window.limit as usize;
    items.truncate(window.limit as usize);
    let place = |published: &Published| (published.scope.clone(), published.name.clone());
    let next = items.last().filter(|_| more).map(place);
    let total = pipeline::count(rows, scopes.as_deref(), MAX_EXACT_TOTAL + 1).map_err(refusal_of)?;
    Ok(Page { items, next, total })
}

/// One pipeline, as it is or as it was with that number.
///
/// # Errors
/// 403 `scope_forbidden`; 404.
pub fn get(
    rows: &Rows,
    caller: &Caller,
    (scope, name): (&str, &str),
    number: Option<i64>,
) -> Result<Shown, Refusal> {
    may_name(caller, scope)?;
    let found = published(rows, (scope, name), number)?;
    let published = found.ok_or_else(|| match number {
        Some(number) => Refusal::missing("pipeline", format!("{name} with the number {number}")),
        None => Refusal::missing("pipeline", name),
    })?;
    let version = pipeline::version(rows, published.version).map_err(refusal_of)?.ok_or_else(torn)?;
    Ok(shown(published, &version))
}

/// What a name stands for, or stood for with that number; `None` where there is none.
///
/// # Errors
/// When the store is broken.
pub fn published(
    rows: &Rows,
    (scope, name): (&str, &str),
    number: Option<i64>,
) -> Result<Option<Published>, Refusal> {
    match number {
        None => pipeline::get(rows, scope, name),
        Some(number) => pipeline::get_number(rows, scope, name, number),
    }
    .map_err(refusal_of)
}

fn shown(published: Published, version: &Version) -> Shown {
    let canonical: Value = serde_json::from_str(&version.canonical).unwrap_or_default();
    Shown { published, source: version.source.clone(), input: canonical.get("input").cloned() }
}

fn torn() -> Refusal {
    Refusal::new(Code::Internal, "the definition of a pipeline is not in the store")
}

/// Publishes a definition. The same content again changes nothing.
///
/// # Errors
/// 403 `scope_forbidden`; 422 for a name that is no slug, and when the scope has too many; 422 `unknown_scope`.
pub fn publish(act: &mut Act<'_>, publish: &Publish) -> Result<(Outcome, Shown), Refusal> {
    let Publish { scope, name, checked } = publish;
    may_name(&act.pass.caller, scope)?;
    if !is_slug(name) {
        return Err(Refusal::field("/name", "must be a slug: 1 to 64 of a-z, 0-9, _ and -"));
    }
    let key = act.scope_key(scope)?;
    let head = pipeline::head(act.tx, key, name).map_err(refusal_of)?;
    let there = head.filter(|head| head.deleted_at.is_none());
    if there.is_none() {
        has_room(act, key)?;
    }
    let version = keep(act, key, checked)?;
    let outcome = match there {
        Some(head) if head.version == version => Outcome::Same,
        Some(_) => Outcome::Changed,
        None => Outcome::Made,
    };
    if outcome != Outcome::Same {
        let number = head.map_or(1, |head| head.number + 1);
        let by = act.actor_key(&act.pass.caller.owner.clone())?;
        let publication = Publication { scope: key, name, version, number, at: act.now.wall, by };
        pipeline::put(act.tx, &publication).map_err(refusal_of)?;
        let sha256 = checked.sha256.clone();
        let told = Told::done(scope, Action::PipelinePublished, name);
        act.audit(told.with("number", number).with("sha256", sha256.clone()))?;
        act.event(key, &Subject::from(name.as_str()), None, &PipelinePublished { number, sha256 })?;
    }
    let shown = get(act.tx, &act.pass.caller, (scope, name), None)?;
    Ok((outcome, shown))
}

fn has_room(act: &Act<'_>, scope: i64) -> Result<(), Refusal> {
    if pipeline::count_of_scope(act.tx, scope).map_err(refusal_of)? < MAX_PIPELINES {
        return Ok(());
    }
    Err(Refusal::field(
        "/name",
        format!("the scope has {MAX_PIPELINES} pipelines: delete one that nobody uses"),
    ))
}

/// The key of a content in a scope, which keeps it from now on: what a run names that is about to be started.
///
/// # Errors
/// When the store cannot write it.
pub fn keep(act: &mut Act<'_>, scope: i64, checked: &Checked) -> Result<i64, Refusal> {
    if let Some(key) = pipeline::version_by_digest(act.tx, scope, &checked.sha256).map_err(refusal_of)? {
        return Ok(key);
    }
    let key = act.next_key();
    let version = Version {
        key,
        scope,
        sha256: checked.sha256.clone(),
        source: checked.source.clone(),
        canonical: checked.canonical.clone(),
        graph: serde_json::to_string(&*checked.graph).expect("words and numbers always have JSON"),
        stages: i64::from(checked.graph.len()),
        created_at: act.now.wall,
    };
    pipeline::insert_version(act.tx, &version).map_err(refusal_of)?;
    Ok(key)
}

/// Takes a name away. Runs that were started by it go on, with the definition that they have.
///
/// # Errors
/// 403 `scope_forbidden`; 404; 409 `in_use` while a schedule starts it; 422 `unknown_scope`.
pub fn delete(act: &mut Act<'_>, scope: &str, name: &str) -> Result<(), Refusal> {
    may_name(&act.pass.caller, scope)?;
    let key = act.scope_key(scope)?;
    let head = pipeline::head(act.tx, key, name).map_err(refusal_of)?;
    let head =
        head.filter(|head| head.deleted_at.is_none()).ok_or_else(|| Refusal::missing("pipeline", name))?;
    if let Some(schedule) = tiltyard_store::schedule::of_pipeline(act.tx, key, name).map_err(refusal_of)? {
        let text =
            format!("the schedule `{schedule}` starts it: remove that first, or let it start something else");
        return Err(Refusal::new(Code::InUse, text).with("schedule", schedule));
    }
    pipeline::delete(act.tx, key, name, act.now.wall).map_err(refusal_of)?;
    act.audit(Told::done(scope, Action::PipelineDeleted, name).with("number", head.number))?;
    act.event(key, &Subject::from(name), None, &PipelineDeleted {})
}
