//! SIGHUP: what changed, what of it is live at once, and what waits for a restart.

use super::Settings;
use super::environment::Environment;
use super::key::KEYS;
use super::load::{Given, Loaded, load};
use super::origin::BadSettings;
use serde_json::Value;

/// One setting that differs from before. Secrets are masked, so a changed one shows the same mask twice.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its key.
    pub path: &'static str,
    /// The value before.
    pub old: Value,
    /// The value now.
    pub new: Value,
}

/// What a reload found.
#[derive(Debug, Clone, PartialEq)]
pub struct Reload {
    /// The settings to go on with: the old ones with the live changes laid over.
    pub loaded: Loaded,
    /// Changes that apply at once.
    pub live: Vec<Change>,
    /// Changes that a restart will apply.
    pub waiting: Vec<Change>,
}

/// Reads all sources again and compares.
///
/// # Errors
/// As [`load`]; the old settings stay in force then.
pub fn reload(old: &Loaded, given: &Given, environment: &Environment) -> Result<Reload, BadSettings> {
    let new = load(given, environment)?;
    let changed = KEYS.iter().filter_map(|key| {
        let (before, now) = (old.value(key), new.value(key));
        let differs = before != now || (key.secret && token(&old.settings) != token(&new.settings));
        differs.then(|| (key.live, Change { path: &key.path, old: before, new: now }))
    });
    let (live, waiting): (Vec<_>, Vec<_>) = changed.partition(|(live, _)| *live);
    let changes = |list: Vec<(bool, Change)>| list.into_iter().map(|(_, change)| change).collect();
    Ok(Reload { loaded: lay_over(old, &new), live: changes(live), waiting: changes(waiting) })
}

/// The only secret among the settings.
fn token(settings: &Settings) -> Option<&String> {
    settings.agent.token.as_ref().map(tiltyard_model::secret::Secret::expose)
}

/// The live settings by name: a test holds this list against the marks in the struct.
fn lay_over(old: &Loaded, new: &Loaded) -> Loaded {
    let mut result = old.clone();
    result.settings.limits.queued_intents = new.settings.limits.queued_intents;
    result.settings.dead_letters.max = new.settings.dead_letters.max;
    result.settings.log.level = new.settings.log.level;
    result
}
