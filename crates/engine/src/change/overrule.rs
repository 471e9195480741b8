//! Other rules than those that a change was judged by: it is judged anew (C20). An approval for the same diff is kept as
//! long as they ask for no more (D24).

use super::{Case, check, close};
use crate::act::{Act, refusal_of};
use crate::gate;
use tiltyard_model::change::{Move, State};
use tiltyard_model::gate::Block;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::repository::Repository;
use tiltyard_store::change::{Filter, page};
use tiltyard_store::task::list::Window;

/// Most changes of a state that a new setting reaches at once; the others meet it at their next step.
const MAX_REACHED: u32 = 1_000;

/// The setting of a repository, or the rules file of its base, may be another one by now. Changes that wait for a person
/// or in the merge queue are judged anew; a merge under way is not taken back.
pub(crate) fn reach(act: &mut Act<'_>, repository: &Repository) -> Result<(), Refusal> {
    for state in [State::Review, State::Queued] {
        let filter = Filter {
            scopes: Some(vec![repository.scope.clone()]),
            repository: Some(repository.registration.name.clone()),
            state: Some(state),
            ..Filter::default()
        };
        let window = Window { below: i64::MAX, offset: 0, limit: MAX_REACHED };
        for found in page(act.tx, &filter, window).map_err(refusal_of)? {
            let mut case = Case::of(found);
            if case.is_overruled(act)? && !is_unproven(act, &case)? {
                again(act, &mut case)?;
            }
        }
    }
    Ok(())
}

/// What was not proven stays before a person, whatever the rules say.
fn is_unproven(act: &Act<'_>, case: &Case) -> Result<bool, Refusal> {
    let Some(id) = case.found.change.gate.filter(|_| case.state() == State::Review) else { return Ok(false) };
    let found = tiltyard_store::gate::get(act.tx, id).map_err(refusal_of)?;
    Ok(found.is_some_and(|found| found.gate.block == Some(Block::Unproven)))
}

/// Checks and weighs a change in review, or in the merge queue, by the rules that are in force now.
pub(super) fn again(act: &mut Act<'_>, case: &mut Case) -> Result<(), Refusal> {
    if case.state() == State::Review {
        gate::supersede(act, case.found.change.gate)?;
    }
    case.go(Move::Recheck)?;
    case.save(act)?;
    act.as_system(|act| {
        close::end_git(act, case)?;
        check::begin(act, case)
    })
}
