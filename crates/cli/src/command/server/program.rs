//! What the server tells of this program: its build, its settings, how much it logs.

use crate::log::LevelHandle;
use crate::settings::LogLevel;
use crate::settings::load::Loaded;
use crate::settings::view::view;
use std::sync::{Mutex, PoisonError};
use tiltyard_model::refusal::Refusal;
use tiltyard_server::program::{Build, Program, no_such_level};
use tiltyard_wire::system::Settings;

/// The program around a server.
pub(super) struct Surroundings {
    settings: Mutex<Settings>,
    level: LevelHandle,
}

impl Surroundings {
    /// Of a program with these settings.
    pub(super) fn new(loaded: &Loaded, level: LevelHandle) -> Self {
        Self { settings: Mutex::new(view(loaded)), level }
    }

    /// Other settings are in force.
    pub(super) fn replace(&self, loaded: &Loaded) {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = view(loaded);
    }
}

impl Program for Surroundings {
    fn build(&self) -> Build {
        let built = crate::version::current();
        Build { version: built.version.to_owned(), commit: built.commit.to_owned() }
    }

    fn settings(&self) -> Settings {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn log_level(&self) -> String {
        self.level.level().as_str().to_owned()
    }

    fn set_log_level(&self, level: &str) -> Result<(), Refusal> {
        let level = LogLevel::parse(level).ok_or_else(no_such_level)?;
        self.level.set_level(level);
        Ok(())
    }
}
