//! Scopes: made, described, deleted when they are empty. Admins do it; the record is the store's own.

use crate::act::record::Told;
use crate::act::{Act, refusal_of};
use tiltyard_model::audit::{ActResult, Action};
use tiltyard_model::event::{ScopeDeleted, ScopeSaved, Subject};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, Reach, SYSTEM_SCOPE};
use tiltyard_model::scope::{Scope, admit, may_delete};
use tiltyard_store::name::{Contents, contents_of_scope, delete_scope, last_seq_of_scope, put_scope, scopes};
use tiltyard_store::{Rows, Tx};

/// Most scopes of a store.
pub const MAX_SCOPES: usize = 1_000;

/// The scopes that a caller may see, by name; `system` is no scope to work in and is left out.
///
/// # Errors
/// When the store is broken.
pub fn list(rows: &Rows, caller: &Caller) -> Result<Vec<Scope>, Refusal> {
    let found = scopes(rows).map_err(refusal_of)?;
    let visible = |scope: &Scope| caller.reach.covers(&scope.name) && scope.name != SYSTEM_SCOPE;
    let mut found: Vec<Scope> = found.into_iter().map(|row| row.scope).filter(visible).collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// One scope.
///
/// # Errors
/// 403 `scope_forbidden` for one that the caller does not have; 404.
pub fn get(rows: &Rows, caller: &Caller, name: &str) -> Result<Scope, Refusal> {
    may_name(caller, name)?;
    let found = list(rows, caller)?.into_iter().find(|scope| scope.name == name);
    found.ok_or_else(|| Refusal::missing("scope", name))
}

/// Whether there is a scope of that name, `system` included.
///
/// # Errors
/// When the store is broken.
pub fn is_there(rows: &Rows, name: &str) -> Result<bool, Refusal> {
    Ok(scopes(rows).map_err(refusal_of)?.iter().any(|row| row.scope.name == name))
}

/// The refusal of a scope that is not there.
pub fn unknown(name: &str) -> Refusal {
    let shown: String = name.chars().take(64).collect();
    Refusal::fault(Code::UnknownScope, "/scope", format!("there is no scope `{shown}`: an admin can make it"))
}

/// A scope that a caller names must be one of its own (SEC4).
///
/// # Errors
/// 403 `scope_forbidden`.
pub fn may_name(caller: &Caller, name: &str) -> Result<(), Refusal> {
    if caller.reach.covers(name) {
        return Ok(());
    }
    Err(Refusal::new(Code::ScopeForbidden, format!("the token does not cover the scope `{name}`")))
}

/// A caller's message named a scope that is not its own (SEC6): that is on record.
///
/// # Errors
/// When the store cannot write it.
pub fn violated(act: &mut Act<'_>, named: &str) -> Result<(), Refusal> {
    let shown: String = named.chars().take(64).collect();
    let told = Told::done(SYSTEM_SCOPE, Action::ScopeViolation, shown);
    act.audit(Told { result: ActResult::Refused, ..told })
}

/// The scopes that a read covers: the named one, else all of the caller's; `None` for every scope.
///
/// # Errors
/// 403 `scope_forbidden` for a named scope that the caller does not have.
pub fn of_read(caller: &Caller, named: Option<&str>) -> Result<Option<Vec<String>>, Refusal> {
    if let Some(scope) = named {
        may_name(caller, scope)?;
        return Ok(Some(vec![scope.to_owned()]));
    }
    Ok(match &caller.reach {
        Reach::All => None,
        Reach::Only(scopes) => Some(scopes.clone()),
    })
}

/// Makes a scope, describes it anew, or brings a deleted one back.
///
/// # Errors
/// 403 `scope_forbidden`; 422 for a name that is no slug or reserved, and when there are too many.
pub fn put(act: &mut Act<'_>, name: &str, description: &str) -> Result<Scope, Refusal> {
    admit(name, description)?;
    may_name(&act.pass.caller, name)?;
    let before = act.memory.names.scope_key(name).and_then(|key| act.memory.names.scope(key)).cloned();
    if let Some(before) = before.as_ref().filter(|before| before.description == description) {
        return Ok(before.clone());
    }
    if before.is_none() && act.memory.names.scopes().count() >= MAX_SCOPES {
        return Err(Refusal::field("/name", "the store has 1,000 scopes: delete one that nobody uses"));
    }
    let created_at = act.now.wall;
    let scope = Scope { name: name.to_owned(), description: description.to_owned(), created_at };
    let key = put_scope(act.tx, &scope).map_err(refusal_of)?;
    // One that was there before keeps its beginning.
    let scope = get(act.tx, &act.pass.caller, name)?;
    let last_seq = last_seq_of_scope(act.tx, key).map_err(refusal_of)?;
    act.memory.know_scope(key, scope.clone(), last_seq);
    act.event(key, &Subject::from(name), None, &ScopeSaved {})?;
    act.audit(Told::done(SYSTEM_SCOPE, Action::ScopePut, name).with("description", description))?;
    Ok(scope)
}

/// Deletes an empty scope.
///
/// # Errors
/// 403 `scope_forbidden`; 404; 409 `in_use` with what it still holds; 422 for `default` and `system`.
pub fn delete(act: &mut Act<'_>, name: &str) -> Result<(), Refusal> {
    may_delete(name)?;
    may_name(&act.pass.caller, name)?;
    let key = act.memory.names.scope_key(name).ok_or_else(|| Refusal::missing("scope", name))?;
    let holds = holds(act, act.tx, key)?;
    if !holds.is_empty() {
        let text = format!("the scope `{name}` still has {}: remove them first", holds.join(", "));
        return Err(Refusal::new(Code::InUse, text));
    }
    act.event(key, &Subject::from(name), None, &ScopeDeleted {})?;
    delete_scope(act.tx, key, act.now.wall).map_err(refusal_of)?;
    act.memory.forget_scope(key);
    act.audit(Told::done(SYSTEM_SCOPE, Action::ScopeDeleted, name))
}

/// What keeps a scope from being deleted, in words.
fn holds(act: &Act<'_>, tx: &Tx, key: i64) -> Result<Vec<String>, Refusal> {
    let queues = act.memory.names.queues().filter(|queue| queue.scope == key);
    let tasks: i64 = queues.map(|queue| act.memory.counts.of(queue.key).iter().sum::<i64>()).sum();
    let Contents { templates, repositories, dead_letters, pipelines, schedules, runs } =
        contents_of_scope(tx, key).map_err(refusal_of)?;
    let all = [
        (tasks, "tasks"),
        (templates, "templates"),
        (repositories, "repositories"),
        (dead_letters, "dead letters"),
        (pipelines, "pipelines"),
        (schedules, "schedules"),
        (runs, "runs"),
        (act.memory.tokens.naming(act.memory.names.scope_name(key)) as i64, "tokens"),
    ];
    let some = all.into_iter().filter(|(count, _)| *count > 0);
    Ok(some.map(|(count, what)| format!("{count} {what}")).collect())
}
