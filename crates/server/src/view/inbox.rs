//! What waits for a person, as it is shown.

use tiltyard_engine::gate::read::{Found, crowd};
use tiltyard_engine::inbox::{Item, Thing};
use tiltyard_engine::token::Tokens;
use tiltyard_model::dead_letter::Letter;
use tiltyard_model::gate::missing::{may_decide, missing};
use tiltyard_model::gate::quorum::Voter;
use tiltyard_model::role::{Caller, Right};
use tiltyard_model::time::TimeMs;
use tiltyard_wire::inbox::View;
use tiltyard_wire::time::Time;

/// Something that waits, as this caller sees it at `now`.
pub(crate) fn view(item: &Item, caller: &Caller, (tokens, now): (&Tokens, TimeMs)) -> View {
    let mut view = match &item.thing {
        Thing::Gate(found) => gate(found, caller, (tokens, now)),
        Thing::Letter(found) => letter(found, caller),
    };
    item.thing.kind().as_str().clone_into(&mut view.kind);
    view.blocked = u64::try_from(item.blocked).unwrap_or_default();
    view
}

fn gate(found: &Found, caller: &Caller, (tokens, now): (&Tokens, TimeMs)) -> View {
    let asked = found.at(now);
    let crowd = crowd(tokens, found, now);
    let id = found.change.unwrap_or(asked.id);
    View {
        kind: String::new(),
        id,
        scope: found.scope_name.clone(),
        title: found.about.title.clone(),
        blocked: 0,
        since: Time(found.opened_at),
        expires_at: asked.expires_ms.map(Time),
        may_decide: caller.role.may(Right::Operate) && may_decide(&asked, &Voter::from(caller), crowd.humans),
        missing: missing(&asked, crowd),
        gate: Some(asked.id),
        run: found.run.map(|place| place.run),
        stage: found.about.stage.clone(),
        change: found.change,
        task: None,
        next: format!("tiltyard approve {id}"),
    }
}

fn letter(letter: &Letter, caller: &Caller) -> View {
    View {
        kind: String::new(),
        id: letter.id,
        scope: letter.scope.clone(),
        title: letter.title.clone(),
        blocked: 0,
        since: Time(letter.failed_at),
        expires_at: None,
        may_decide: caller.role.may(Right::Operate),
        missing: letter.error.lines().next().map(str::to_owned).into_iter().collect(),
        gate: None,
        run: None,
        stage: None,
        change: None,
        task: Some(letter.task),
        next: format!("tiltyard dead-letters {}", letter.id),
    }
}
