//! A gate's time runs out (D23).

use super::{about_of, after, end, told};
use crate::act::record::Told;
use crate::act::{Act, refusal_of};
use tiltyard_model::audit::Action;
use tiltyard_model::event::{GateAutoApproved, GateExpired};
use tiltyard_model::gate::{End, due};
use tiltyard_model::id::Id;
use tiltyard_model::refusal::Refusal;
use tiltyard_store::gate::{self, Found};

/// Most gates of one deed; the rest are next.
pub const MAX_DUE: u32 = 100;

/// Ends the gates whose time is over and says something; says how many it ended. A gate that cannot be approved is
/// not approved by a clock either: it stays open. One that cannot be ended is left as it is.
///
/// # Errors
/// When the store cannot write it.
pub fn expire_due(act: &mut Act<'_>) -> Result<usize, Refusal> {
    let mut ended = 0;
    for id in gate::due(act.tx, act.now.wall, MAX_DUE).map_err(refusal_of)? {
        act.one_of_many("a gate whose time is over", id.key(), |act| {
            ended += usize::from(end_due(act, id)?);
            Ok(())
        })?;
    }
    Ok(ended)
}

fn end_due(act: &mut Act<'_>, id: Id) -> Result<bool, Refusal> {
    let Some(mut found) = gate::get(act.tx, id).map_err(refusal_of)? else { return Ok(false) };
    let Some(how) = due(&found.gate, act.now.wall) else { return Ok(false) };
    time_out(act, &mut found, how).map(|()| true)
}

fn time_out(act: &mut Act<'_>, found: &mut Found, how: End) -> Result<(), Refusal> {
    end(act, found, how, None)?;
    let about = about_of(found);
    match how {
        End::TimeOutApproves => told(act, found, &GateAutoApproved { about })?,
        _ => told(act, found, &GateExpired { about })?,
    }
    let record = Told::done(&found.scope_name, Action::GateTimedOut, found.gate.id)
        .with("about", about_of(found))
        .with("decision", found.gate.state.as_str());
    act.audit(record)?;
    after(act, found, false).map(drop)
}
