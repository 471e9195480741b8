//! What of the answers goes on record: calls that were refused (SEC21).

use crate::edge::house::Answered;
use crate::edge::place::{Outside, Place};
use tiltyard_engine::audit::refused::{Call, On};
use tiltyard_model::refusal::Code;
use tiltyard_model::role::{Caller, Reach};
use tiltyard_wire::endpoint::Endpoint;

/// The refused call that an answer tells of; whether the record covers it, the engine knows.
pub(crate) fn refused_call(answered: &Answered<'_>, code: Code) -> Call {
    Call {
        client: answered.client.to_string(),
        code,
        endpoint: name_of(answered.place).to_owned(),
        on: if decides(answered.place) { On::Decision } else { On::Other },
        scope: answered.caller.and_then(own_scope),
        actor: answered.caller.map(|caller| caller.owner.clone()),
        request_id: answered.request_id.as_str().to_owned(),
    }
}

const fn name_of(place: Option<Place>) -> &'static str {
    match place {
        Some(Place::Api(endpoint)) => endpoint.row().name,
        Some(Place::Outside(Outside::Alive)) => "Alive",
        Some(Place::Outside(Outside::Ready)) => "Ready",
        Some(Place::Outside(Outside::Metrics)) => "Metrics",
        Some(Place::Outside(Outside::Docs)) => "Docs",
        None => "none",
    }
}

const fn decides(place: Option<Place>) -> bool {
    use Endpoint::{ChangeApprove, ChangeReject, ChangeSendBack, GateApprove, GateReject};
    matches!(
        place,
        Some(Place::Api(GateApprove | GateReject | ChangeApprove | ChangeReject | ChangeSendBack))
    )
}

/// The chain of a caller with one scope; what others do wrong belongs to the store's own.
fn own_scope(caller: &Caller) -> Option<String> {
    match &caller.reach {
        Reach::Only(scopes) if scopes.len() == 1 => scopes.first().cloned(),
        _ => None,
    }
}
