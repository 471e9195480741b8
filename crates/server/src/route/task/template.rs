//! Submissions that name a template: its fields are taken where they name none.

use crate::ask::{Ask, scope_of};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tiltyard_engine::template as templates;
use tiltyard_model::refusal::{Code, Kind, Refusal};
use tiltyard_wire::endpoint::MAX_BATCH_BODY_BYTES;
use tiltyard_wire::task::Submit;

/// What templates may fill in, all submissions of a call together: as much as could be sent without them.
const MAX_TAKEN_BYTES: usize = MAX_BATCH_BODY_BYTES;

/// A scope and a name in it.
type Place = (String, String);
/// The place of a submission among others, and what is wrong with it.
type Misfit = (usize, Refusal);

/// Fills in what the submissions leave to their templates; `named` is the scope of those that name none themselves.
///
/// # Errors
/// 403 for a scope that is not the token's; 413 when they fill in too much; 422 for a template that is not there, or
/// whose fields are none of a task.
pub(crate) async fn fill(ask: &Ask, named: Option<&str>, tasks: &mut [Submit]) -> Result<(), Misfit> {
    let places = places(ask, named, tasks)?;
    if places.is_empty() {
        return Ok(());
    }
    let distinct: BTreeSet<Place> = places.iter().map(|(_, place)| place.clone()).collect();
    let known = Arc::new(read(ask, distinct).await.map_err(|refusal| (0, refusal))?);
    let mut taken_bytes = 0;
    for (index, place) in places {
        let base = known.get(&place).ok_or_else(|| (index, unknown(&place)))?;
        taken_bytes += base.len();
        if taken_bytes > MAX_TAKEN_BYTES {
            let said = "its templates fill in more than 16 MiB: send fewer tasks at once";
            return Err((index, Refusal::new(Code::TooLarge, said)));
        }
        // A payload is JSON text, which only a text can give.
        let base = serde_json::from_str(base).map_err(|error| (index, unfit(&place, &error)))?;
        let task = std::mem::take(&mut tasks[index]);
        tasks[index] = over(task, base);
    }
    Ok(())
}

/// Where the templates are that the submissions name, each with the place of its submission.
fn places(ask: &Ask, named: Option<&str>, tasks: &[Submit]) -> Result<Vec<(usize, Place)>, Misfit> {
    let mut places = Vec::new();
    for (index, task) in tasks.iter().enumerate() {
        if let Some(name) = &task.template {
            let scope = scope_of(&ask.caller, task.scope.as_deref().or(named));
            let scope = scope.map_err(|refusal| (index, refusal))?.to_owned();
            places.push((index, (scope, name.clone())));
        }
    }
    Ok(places)
}

/// The fields of each template that is there, as JSON text.
async fn read(ask: &Ask, places: BTreeSet<Place>) -> Result<BTreeMap<Place, String>, Refusal> {
    ask.read(move |rows, caller| {
        let mut known = BTreeMap::new();
        for place in places {
            match templates::get(rows, caller, &place.0, &place.1) {
                Ok(kept) => {
                    known.insert(place, serde_json::Value::Object(kept.template.task).to_string());
                }
                Err(refusal) if refusal.kind() == Kind::Missing => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(known)
    })
    .await
}

fn unknown((scope, name): &Place) -> Refusal {
    let shown: String = name.chars().take(64).collect();
    Refusal::field("/template", format!("there is no template `{shown}` in the scope `{scope}`"))
}

fn unfit((_, name): &Place, error: &serde_json::Error) -> Refusal {
    Refusal::field("/template", format!("the fields of the template `{name}` are no task's: {error}"))
}

/// What a submission says, over what its template says.
fn over(own: Submit, base: Submit) -> Submit {
    Submit {
        scope: own.scope,
        queue: own.queue.or(base.queue),
        kind: first(own.kind, base.kind, String::is_empty),
        title: first(own.title, base.title, String::is_empty),
        payload: own.payload.or(base.payload),
        priority: own.priority.or(base.priority),
        category: own.category.or(base.category),
        labels: first(own.labels, base.labels, Vec::is_empty),
        capabilities: first(own.capabilities, base.capabilities, Vec::is_empty),
        depends_on: own.depends_on,
        run_at: own.run_at,
        deadline: own.deadline,
        timeout_ms: own.timeout_ms.or(base.timeout_ms),
        max_attempts: own.max_attempts.or(base.max_attempts),
        backoff: own.backoff.or(base.backoff),
        unique_key: own.unique_key.or(base.unique_key),
        unique_for_ms: own.unique_for_ms.or(base.unique_for_ms),
        concurrency_key: own.concurrency_key.or(base.concurrency_key),
        concurrency_limit: own.concurrency_limit.or(base.concurrency_limit),
        rate_key: own.rate_key.or(base.rate_key),
        rate_per_minute: own.rate_per_minute.or(base.rate_per_minute),
        assign_to: own.assign_to.or(base.assign_to),
        on_dependency_failure: own.on_dependency_failure.or(base.on_dependency_failure),
        template: own.template,
    }
}

/// The first of two unless it says nothing.
fn first<T>(own: T, base: T, says_nothing: impl Fn(&T) -> bool) -> T {
    if says_nothing(&own) { base } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, Value, json};
    use tiltyard_model::template::TASK_FIELDS;

    fn all() -> Value {
        json!({
            "queue": "q", "kind": "note", "title": "t", "payload": {"a": 1}, "priority": 7, "category": "c",
            "labels": ["l"], "capabilities": ["x"], "timeout_ms": 5_000, "max_attempts": 2,
            "backoff": {"kind": "fixed", "base_ms": 1, "max_ms": 2, "jitter": "none"}, "unique_key": "u",
            "unique_for_ms": 9, "concurrency_key": "k", "concurrency_limit": 3, "rate_key": "r",
            "rate_per_minute": 4, "assign_to": "me", "on_dependency_failure": "run",
        })
    }

    fn submit(fields: &Value) -> Submit {
        serde_json::from_str(&fields.to_string()).unwrap()
    }

    // Every field that a template may set is taken, and no other.
    #[test]
    fn a_submission_takes_every_field_of_a_template() {
        let taken = serde_json::to_value(over(Submit::default(), submit(&all()))).unwrap();
        assert_eq!(taken, all());
        let names: BTreeSet<&str> = taken.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, BTreeSet::from(TASK_FIELDS));
    }

    #[test]
    fn a_submissions_own_fields_win() {
        let own = json!({
            "queue": "p", "kind": "other", "title": "o", "payload": [], "priority": 1, "category": "d",
            "labels": ["m"], "capabilities": ["y"], "timeout_ms": 6_000, "max_attempts": 1,
            "backoff": {"kind": "fixed", "base_ms": 3, "max_ms": 4, "jitter": "full"}, "unique_key": "v",
            "unique_for_ms": 8, "concurrency_key": "j", "concurrency_limit": 1, "rate_key": "s",
            "rate_per_minute": 5, "assign_to": "you", "on_dependency_failure": "cancel",
        });
        assert_eq!(own.as_object().map(Map::len), Some(TASK_FIELDS.len()));
        assert_eq!(serde_json::to_value(over(submit(&own), submit(&all()))).unwrap(), own);
    }
}
