//! SIGHUP: settings that can change while the server runs, and the event that says which (O1).

use crate::log::LevelHandle;
use crate::settings::Settings;
use crate::settings::environment::Environment;
use crate::settings::load::{Given, Loaded};
use crate::settings::reload::{Change, reload};
use tiltyard_engine::{Engine, Pass, Urgency, system};

/// Where the settings come from, once more.
pub(super) struct Again<'a> {
    pub(super) given: Given,
    pub(super) environment: &'a Environment,
}

impl Again<'_> {
    /// Reads them, applies what can be applied and says so. `None` when they are wrong: nothing changes then.
    pub(super) async fn take(&self, old: &Loaded, engine: &Engine, level: &LevelHandle) -> Option<Loaded> {
        let found = match reload(old, &self.given, self.environment) {
            Ok(found) => found,
            Err(bad) => {
                tracing::error!(target: "config", "the settings stay as they are: {bad}");
                return None;
            }
        };
        apply(&found.loaded.settings, engine, level);
        let keys =
            |changes: &[Change]| changes.iter().map(|change| change.path.to_owned()).collect::<Vec<_>>();
        let (live, waiting) = (keys(&found.live), keys(&found.waiting));
        tracing::info!(target: "config", live = live.join(" "), at_restart = waiting.join(" "), "settings read anew");
        if !live.is_empty() {
            record(engine, live).await;
        }
        Some(found.loaded)
    }
}

fn apply(settings: &Settings, engine: &Engine, level: &LevelHandle) {
    level.set_level(settings.log.level);
    engine.door().set_max_queued(settings.limits.queued_intents as usize);
    engine.letters().set(settings.dead_letters.max as usize);
}

async fn record(engine: &Engine, keys: Vec<String>) {
    let deed = move |act: &mut tiltyard_engine::Act<'_>| system::settings_changed(act, &keys);
    if let Err(error) = engine.enter(Pass::system(), Urgency::Urgent, deed).await {
        tracing::error!(target: "config", %error, "the change of settings is in force, but could not be recorded");
    }
}
