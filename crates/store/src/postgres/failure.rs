//! What an error of PostgreSQL, or of the way to it, means for us.

use crate::error::Error;
use tokio_postgres::error::SqlState;

/// Codes that say: not now. The last four mean that the session is at an end too.
const NOT_NOW: &[&SqlState] = &[
    &SqlState::T_R_SERIALIZATION_FAILURE,
    &SqlState::T_R_DEADLOCK_DETECTED,
    &SqlState::LOCK_NOT_AVAILABLE,
    &SqlState::QUERY_CANCELED,
    &SqlState::TOO_MANY_CONNECTIONS,
    &SqlState::READ_ONLY_SQL_TRANSACTION,
    &SqlState::ADMIN_SHUTDOWN,
    &SqlState::CRASH_SHUTDOWN,
    &SqlState::CANNOT_CONNECT_NOW,
    &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
];

/// Codes after which another session is needed: it ends, it is of a standby, or what stands between has mixed sessions up.
const SESSION_OVER: &[&SqlState] = &[
    &SqlState::READ_ONLY_SQL_TRANSACTION,
    &SqlState::ADMIN_SHUTDOWN,
    &SqlState::CRASH_SHUTDOWN,
    &SqlState::CANNOT_CONNECT_NOW,
    &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    &SqlState::INVALID_SQL_STATEMENT_NAME,
    &SqlState::DUPLICATE_PSTATEMENT,
    &SqlState::FEATURE_NOT_SUPPORTED,
];

/// Codes of a statement that is not where it was prepared: a pool has begun to mix sessions while a server ran.
const MIXED: &[&SqlState] = &[&SqlState::INVALID_SQL_STATEMENT_NAME, &SqlState::DUPLICATE_PSTATEMENT];
/// What to do then.
const MIXED_MEND: &str =
    "a pool that hands out single transactions stands between: set shared.poll_only = true and start again";

/// The word of ours for it.
pub(crate) fn failure(statement: &'static str, error: &tokio_postgres::Error) -> Error {
    let reason = reason(error);
    let Some(code) = error.code() else {
        // It never reached the database, or never came back: the connection is at fault.
        return if is_local(error) { Error::Broken { statement, reason } } else { Error::Lost(reason) };
    };
    match code.code() {
        _ if MIXED.contains(&code) => Error::Busy(format!("{reason} ({MIXED_MEND})")),
        _ if NOT_NOW.contains(&code) => Error::Busy(reason),
        "53100" => Error::Full(reason),
        _ if SESSION_OVER.contains(&code) => Error::Busy(reason),
        code if code.starts_with("08") => Error::Lost(reason),
        code if code.starts_with("53") => Error::Busy(reason),
        // 22: a value that the database cannot take, which is a fault of ours, not of its disk.
        code if code.starts_with("22") || code.starts_with("23") => Error::Constraint { statement, reason },
        _ => Error::Broken { statement, reason },
    }
}

/// Whether the session can be used no more.
pub(crate) fn ends_session(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        Some(code) => SESSION_OVER.contains(&code) || code.code().starts_with("08"),
        None => !is_local(error),
    }
}

/// A value that could not even be written down: a fault of ours, the connection is whole.
fn is_local(error: &tokio_postgres::Error) -> bool {
    let text = error.to_string();
    text.starts_with("error serializing parameter") || text.starts_with("error deserializing column")
}

/// The whole story: the driver's own words stop at the first part.
pub(super) fn reason(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(own) = cause {
        text = format!("{text}: {own}");
        cause = own.source();
    }
    text
}
