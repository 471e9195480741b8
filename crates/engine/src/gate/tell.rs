//! People are told of a gate that nobody decides: they are reminded, and others are asked too (D23).

use crate::act::record::Told;
use crate::act::{Act, refusal_of};
use tiltyard_model::audit::Action;
use tiltyard_model::event::{GateEscalated, GateReminded};
use tiltyard_model::gate::calendar::Notice;
use tiltyard_model::gate::quorum::Who;
use tiltyard_model::id::Id;
use tiltyard_model::refusal::Refusal;
use tiltyard_store::gate::{self, Found};

/// Most gates of one deed; the rest are next.
pub const MAX_TOLD: u32 = 100;

/// Tells people of the gates whose reminders and escalations are due; says of how many. One that cannot be written is
/// left as it is.
///
/// # Errors
/// When the store cannot write it.
pub fn tell_due(act: &mut Act<'_>) -> Result<usize, Refusal> {
    let mut told = 0;
    for id in gate::tell_due(act.tx, act.now.wall, MAX_TOLD).map_err(refusal_of)? {
        told += usize::from(
            act.one_of_many("a gate that people are to be told of", id.key(), |act| tell(act, id))?,
        );
    }
    Ok(told)
}

fn tell(act: &mut Act<'_>, id: Id) -> Result<(), Refusal> {
    let Some(mut found) = gate::get(act.tx, id).map_err(refusal_of)? else { return Ok(()) };
    let (notices, told) = found.calendar.due(found.told, act.now.wall);
    found.told = told;
    for notice in notices {
        match notice {
            Notice::Remind(number) => {
                super::told(act, &found, &GateReminded { number })?;
            }
            Notice::Escalate => escalated(act, &found)?,
        }
    }
    gate::update(act.tx, &found).map_err(refusal_of)
}

/// Others may decide from now on, which is on record as what it is: a change of who decides.
fn escalated(act: &mut Act<'_>, found: &Found) -> Result<(), Refusal> {
    let (id, who) = (found.gate.id, names(found));
    super::told(act, found, &GateEscalated { who: who.clone() })?;
    let told = Told::done(&found.scope_name, Action::GateEscalated, id);
    act.audit(told.with("about", super::about_of(found)).with("who", who))
}

/// Who is asked too, as it is written.
fn names(found: &Found) -> String {
    let who = found.calendar.escalate.as_ref().map(|(_, who)| who.as_slice()).unwrap_or_default();
    who.iter().map(Who::to_string).collect::<Vec<_>>().join(" or ")
}
