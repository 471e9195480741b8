//! What of the answers goes on record: calls that were refused (SEC21).

use crate::edge::house::Answered;
use crate::edge::place::Place;
use tiltyard_engine::audit::refused::{Call, On};
use tiltyard_model::refusal::Code;
use tiltyard_wire::endpoint::Endpoint;

/// The refused call that an answer tells of; whether the record covers it, the engine knows.
pub(crate) fn refused_call(answered: &Answered<'_>, code: Code) -> Call {
    Call {
        client: answered.client.to_string(),
        code,
        endpoint: endpoint_of(answered),
        on: if decides(answered.place) { On::Decision } else { On::Other },
        named: answered.path.split('/').find_map(|part| part.parse().ok()),
        reach: answered.caller.map(|caller| caller.reach.clone()),
        actor: answered.caller.map(|caller| caller.owner.clone()),
        request_id: answered.request_id.as_str().to_owned(),
    }
}

/// The row as people write it; the method alone where the path is none.
fn endpoint_of(answered: &Answered<'_>) -> String {
    let method = answered.method;
    match answered.place {
        Some(Place::Api(endpoint)) => format!("{method} {}", endpoint.row().path),
        Some(Place::Outside(page)) => {
            format!("{method} {}", page.paths().first().copied().unwrap_or_default())
        }
        None => method.to_string(),
    }
}

const fn decides(place: Option<Place>) -> bool {
    use Endpoint::{ChangeApprove, ChangeReject, ChangeSendBack, GateApprove, GateReject};
    matches!(
        place,
        Some(Place::Api(GateApprove | GateReject | ChangeApprove | ChangeReject | ChangeSendBack))
    )
}
