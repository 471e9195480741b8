//! The server itself: that it began and ended is on record (SEC21).

use crate::act::Act;
use crate::act::record::Told;
use tiltyard_model::audit::Action;
use tiltyard_model::event::{ServerStarted, ServerStopped, SettingsChanged, Subject};
use tiltyard_model::refusal::Refusal;
use tiltyard_model::role::SYSTEM_SCOPE;

/// What the events of the server are about.
const SUBJECT: &str = "server";

/// The server began to answer.
///
/// # Errors
/// When the store cannot write it.
pub fn started(act: &mut Act<'_>, version: &str) -> Result<(), Refusal> {
    let leases = act.memory.leases.len() as u64;
    let scope = act.system_scope();
    let event = ServerStarted { version: version.to_owned(), leases };
    act.event(scope, &Subject::from(SUBJECT), None, &event)?;
    act.audit(
        Told::done(SYSTEM_SCOPE, Action::ServerStarted, SUBJECT)
            .with("version", version)
            .with("leases", leases),
    )
}

/// The server ends in order.
///
/// # Errors
/// When the store cannot write it.
pub fn stopped(act: &mut Act<'_>) -> Result<(), Refusal> {
    let scope = act.system_scope();
    act.event(scope, &Subject::from(SUBJECT), None, &ServerStopped {})?;
    act.audit(Told::done(SYSTEM_SCOPE, Action::ServerStopped, SUBJECT))
}

/// Settings changed while the server ran.
///
/// # Errors
/// When the store cannot write it.
pub fn settings_changed(act: &mut Act<'_>, keys: &[String]) -> Result<(), Refusal> {
    let scope = act.system_scope();
    act.event(scope, &Subject::from(SUBJECT), None, &SettingsChanged { keys: keys.to_vec() })?;
    act.audit(Told::done(SYSTEM_SCOPE, Action::SettingChanged, SUBJECT).with("keys", keys.to_vec()))
}
