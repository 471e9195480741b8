//! Templates: saved, read, deleted.

use crate::act::{Act, refusal_of};
use crate::scope::{may_name, of_read};
use tiltyard_model::event::{Subject, TemplateDeleted, TemplateSaved};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::role::Caller;
use tiltyard_model::template::{Template, admit_another, faults};
use tiltyard_store::Rows;
use tiltyard_store::template;
/// Which part of a list, and what it lists.
pub use tiltyard_store::template::{Kept, Window};

/// Up to here the total of a list is exact.
const MAX_EXACT_TOTAL: u32 = 10_000;

/// A page of templates.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// By scope and name.
    pub items: Vec<Kept>,
    /// The scope and name after which the next page begins.
    pub next: Option<(String, String)>,
    /// How many there are in all, counted up to 10,001.
    pub total: u64,
}

/// A page of the templates that the caller may see; of one scope when it is named.
///
/// # Errors
/// 403 `scope_forbidden` for a scope that the caller does not have.
pub fn page(rows: &Rows, caller: &Caller, scope: Option<&str>, window: &Window) -> Result<Page, Refusal> {
    let scopes = of_read(caller, scope)?;
    let wider = Window { limit: window.limit + 1, ..window.clone() };
    let mut items = template::page(rows, scopes.as_deref(), &wider).map_err(refusal_of)?;
    let more = items.len() > window.limit as usize;
    items.truncate(window.limit as usize);
    let place = |kept: &Kept| (kept.template.scope.clone(), kept.template.name.clone());
    let next = items.last().filter(|_| more).map(place);
    let total = template::count(rows, scopes.as_deref(), MAX_EXACT_TOTAL + 1).map_err(refusal_of)?;
    Ok(Page { items, next, total })
}

/// One template.
///
/// # Errors
/// 403 `scope_forbidden`; 404.
pub fn get(rows: &Rows, caller: &Caller, scope: &str, name: &str) -> Result<Kept, Refusal> {
    may_name(caller, scope)?;
    let found = template::get(rows, scope, name).map_err(refusal_of)?;
    found.ok_or_else(|| Refusal::missing("template", name))
}

/// Saves a template.
///
/// # Errors
/// 422 with every wrong field; 422 `unknown_scope`; 422 when the scope has too many.
pub fn put(act: &mut Act<'_>, template: Template) -> Result<Kept, Refusal> {
    may_name(&act.pass.caller, &template.scope)?;
    Refusal::from_faults(faults(&template)).map_or(Ok(()), Err)?;
    let scope = act.scope_key(&template.scope)?;
    let known = template::get(act.tx, &template.scope, &template.name).map_err(refusal_of)?;
    if known.is_none() {
        admit_another(template::count_of_scope(act.tx, scope).map_err(refusal_of)?)?;
    }
    let kept = Kept { template, updated_at: act.now.wall };
    template::put(act.tx, scope, &kept).map_err(refusal_of)?;
    let subject = Subject::from(kept.template.name.as_str());
    act.event(scope, &subject, None, &TemplateSaved {})?;
    Ok(kept)
}

/// Deletes a template.
///
/// # Errors
/// 403 `scope_forbidden`; 404; 422 `unknown_scope`.
pub fn delete(act: &mut Act<'_>, scope: &str, name: &str) -> Result<(), Refusal> {
    may_name(&act.pass.caller, scope)?;
    let key = act.scope_key(scope)?;
    if !template::delete(act.tx, key, name).map_err(refusal_of)? {
        return Err(Refusal::missing("template", name));
    }
    act.event(key, &Subject::from(name), None, &TemplateDeleted {})
}
