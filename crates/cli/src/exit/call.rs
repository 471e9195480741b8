//! From what a call came to, to how the command ends.

use super::{Exit, Failure};
use tiltyard_client::Error;
use tiltyard_client::error::Refused;

/// Refusals that are the store's trouble, not the caller's.
const STORAGE_CODES: &[&str] = &["storage_low", "storage_broken", "audit_unavailable"];

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match &error {
            Error::Refused(refused) => refusal(refused),
            Error::BadAddress { .. } | Error::FrameTooLarge { .. } => Self::usage(message),
            Error::Unreachable { .. } => Self::new(Exit::Unreachable, format!("not reachable: {message}"))
                .hint("is `tiltyard up` running?"),
            Error::Interrupted { .. } => Self::new(Exit::Unreachable, message)
                .hint("it may or may not have happened: look before you try again"),
            Error::Closed { .. } => Self::new(Exit::Unreachable, message),
            Error::Unreadable { .. } => {
                Self::failed(message).hint("compare `tiltyard version` on both sides")
            }
        }
    }
}

fn refusal(refused: &Refused) -> Failure {
    let mut message = refused.detail.clone();
    for fault in refused.details.iter().skip(1) {
        let place = fault.line.filter(|line| *line > 0).zip(fault.column);
        let place = place.map(|(line, column)| format!("line {line}, column {column}: ")).unwrap_or_default();
        message.push_str(&format!("\n  {place}{}: {}", fault.field, fault.error));
    }
    let exit = match refused.status {
        _ if STORAGE_CODES.contains(&refused.code.as_str()) => Exit::Storage,
        500 => Exit::Failed,
        _ => Exit::Refused,
    };
    let code = Some(refused.code.clone());
    let path = Some(&refused.kind).filter(|path| path.starts_with('/'));
    let page = path.map(|path| format!("{path} explains it; the request was {}", refused.request_id));
    Failure { exit, code, message, hint: hint(refused), page }
}

/// What to do next, for the few cases where it is always the same; all others have the page of their code.
fn hint(refused: &Refused) -> Option<String> {
    Some(match refused.code.as_str() {
        "unauthenticated" => {
            "say --token or TILTYARD_TOKEN; on this machine `tiltyard up` writes one for you".to_owned()
        }
        "scope_required" => "say --scope; `tiltyard token` shows which ones yours covers".to_owned(),
        "subject_changed" => "look at it again, then decide on what it is now".to_owned(),
        _ => format!("try again in {} s", refused.retry_after_ms?.div_ceil(1_000)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiltyard_wire::problem::{Fault, Problem};

    fn refused(status: u16, code: &str) -> Failure {
        let fault =
            |field: &str| Fault { field: field.into(), error: "is wrong".into(), line: None, column: None };
        let problem = Problem {
            kind: format!("/docs/problem/{code}"),
            title: String::new(),
            status,
            detail: "/title: is wrong".into(),
            error: String::new(),
            code: code.into(),
            request_id: "r-1".into(),
            field: None,
            details: vec![fault("/title"), fault("/kind")],
            path: None,
            extra: serde_json::Map::new(),
        };
        Error::Refused(Box::new(Refused { problem, retry_after_ms: None })).into()
    }

    // O3: 3 not reachable, 4 refused, 5 storage failure.
    #[test]
    fn o3_every_kind_of_failure_has_its_exit_code() {
        let text = || (String::new(), String::new());
        let (url, reason) = text();
        assert_eq!(Failure::from(Error::Unreachable { url, reason }).exit, Exit::Unreachable);
        let (url, reason) = text();
        assert_eq!(Failure::from(Error::BadAddress { url, reason }).exit, Exit::Usage);
        for (status, code, exit) in [
            (422, "invalid", Exit::Refused),
            (401, "unauthenticated", Exit::Refused),
            (503, "overloaded", Exit::Refused),
            (503, "storage_low", Exit::Storage),
            (503, "audit_unavailable", Exit::Storage),
            (500, "internal", Exit::Failed),
        ] {
            assert_eq!(refused(status, code).exit, exit, "{code}");
        }
    }

    #[test]
    fn every_wrong_field_is_told() {
        let failure = refused(422, "invalid");
        assert_eq!(failure.message, "/title: is wrong\n  /kind: is wrong");
        assert_eq!(failure.code.as_deref(), Some("invalid"));
        assert_eq!(
            (failure.hint, failure.page.as_deref()),
            (None, Some("/docs/problem/invalid explains it; the request was r-1"))
        );
    }
}
