//! Parameters on their way in, the same for every row (API7): no name that is not known, no slug that is none, no scope
//! that is not there. What is misspelt would look like peace.

use crate::ask::{Ask, covered};
use crate::caller::{is_live, parameters};
use crate::edge::place::Place;
use http::Uri;
use percent_encoding::percent_decode_str;
use tiltyard_engine::readers::Rows;
use tiltyard_engine::{audit, scope};
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::role::{Caller, DEFAULT_SCOPE, Reach, SYSTEM_SCOPE};
use tiltyard_model::slug::is_slug;
use tiltyard_model::text::NOT_STORABLE;
use tiltyard_wire::endpoint::Endpoint;

/// Parameters that can be nothing but slugs.
const SLUGS: [&str; 6] = ["scope", "queue", "agent", "repository", "pipeline", "schedule"];
/// The parameter that carries a token where headers cannot (API1).
const TOKEN: &str = "token";

/// Looks at the parameters of a request before its handler does.
///
/// # Errors
/// 400 `bad_parameter`; 422 `unknown_scope`.
pub(crate) async fn check(ask: &Ask) -> Result<(), Refusal> {
    let Place::Api(endpoint) = ask.visit.place else { return Ok(()) };
    check_storable(&ask.parts.uri)?;
    let Some(query) = ask.parts.uri.query().filter(|query| !query.is_empty()) else { return Ok(()) };
    known_names(endpoint, &ask.parts.uri, query)?;
    for name in SLUGS {
        let odd = parameters(query, name).find(|value| !is_slug(value));
        if let Some(odd) = odd.filter(|_| endpoint.parameters().iter().any(|known| known == name)) {
            let shown: String = odd.chars().take(64).collect();
            return Err(Refusal::new(
                Code::BadParameter,
                format!("`{name}`: `{shown}` can be the name of nothing"),
            ));
        }
    }
    let named: Vec<String> = parameters(query, "scope").map(|scope| scope.into_owned()).collect();
    for scope in named {
        check_scope(ask, endpoint, scope).await?;
    }
    Ok(())
}

/// Nothing that is stored has U+0000 in its name, and not every database takes it in a question either.
fn check_storable(uri: &Uri) -> Result<(), Refusal> {
    if uri.path().contains("%00") {
        return Err(Refusal::new(
            Code::NotFound,
            "there is nothing of that name: it holds the character U+0000",
        ));
    }
    match uri.query().and_then(|query| query.split('&').find(|pair| pair.contains("%00"))) {
        None => Ok(()),
        Some(pair) => {
            let name: String = pair.split('=').next().unwrap_or_default().chars().take(64).collect();
            Err(Refusal::new(Code::BadParameter, format!("`{name}`: {NOT_STORABLE}")))
        }
    }
}

fn known_names(endpoint: Endpoint, uri: &Uri, query: &str) -> Result<(), Refusal> {
    let known = endpoint.parameters();
    let token = is_live(Place::Api(endpoint), uri);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let name = percent_decode_str(pair.split('=').next().unwrap_or_default()).decode_utf8_lossy();
        let is_known = known.iter().any(|known| *known == name) || (token && name == TOKEN);
        if !is_known {
            return Err(unknown_name(&name, known));
        }
    }
    Ok(())
}

fn unknown_name(name: &str, known: &[String]) -> Refusal {
    let shown: String = name.chars().take(64).collect();
    let said = match known {
        [] => format!("`{shown}` is no parameter here: this call takes none"),
        known => format!("`{shown}` is no parameter here; there are {}", known.join(", ")),
    };
    Refusal::new(Code::BadParameter, said)
}

/// The same for a scope that is named in a filter inside of a body.
///
/// # Errors
/// 403 `scope_forbidden`; 422 `unknown_scope`.
pub(crate) async fn check_named(ask: &Ask, named: Option<&str>) -> Result<(), Refusal> {
    let (Some(named), Place::Api(endpoint)) = (named, ask.visit.place) else { return Ok(()) };
    let named = covered(&ask.caller, named)?.to_owned();
    check_scope(ask, endpoint, named).await
}

/// A token of some scopes has been asked whether it covers the named one; one of all of them covers also what is not.
async fn check_scope(ask: &Ask, endpoint: Endpoint, named: String) -> Result<(), Refusal> {
    if named == DEFAULT_SCOPE || ask.caller.reach != Reach::All {
        return Ok(());
    }
    let path = endpoint.row().path;
    let audits = path.starts_with("/audit");
    if named == SYSTEM_SCOPE && !audits && !path.starts_with("/events") {
        return Err(Refusal::field("/scope", "`system` is reserved for the store itself"));
    }
    let name = named.clone();
    let look = move |rows: &Rows, _: &Caller| match audits {
        true => audit::is_there(rows, &name),
        false => scope::is_there(rows, &name),
    };
    if ask.read(look).await? { Ok(()) } else { Err(scope::unknown(&named)) }
}

/// The scope that a call names, in its body or as a parameter.
///
/// # Errors
/// 422 where the two differ.
pub(crate) fn one_scope(body: Option<String>, query: Option<String>) -> Result<Option<String>, Refusal> {
    match (body, query) {
        (Some(body), Some(query)) if body != query => {
            Err(Refusal::field("/scope", "the body and `?scope=` name two scopes: name one"))
        }
        (body, query) => Ok(body.or(query)),
    }
}
