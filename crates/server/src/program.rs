//! The program around the server: what the API tells of it, and the one thing it may ask of it.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use tiltyard_model::refusal::Refusal;
use tiltyard_wire::system::Settings;

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// The version.
    pub version: String,
    /// The commit; `unknown` when built outside of a repository.
    pub commit: String,
}

/// What a server tells of the program that runs it.
pub trait Program: Send + Sync {
    /// What was built.
    fn build(&self) -> Build;

    /// The settings in force, with where each came from; secrets are masked.
    fn settings(&self) -> Settings;

    /// How much is logged: `error warn info debug trace`.
    fn log_level(&self) -> String;

    /// Logs more or less, until the restart.
    ///
    /// # Errors
    /// 422 for a word that is no level.
    fn set_log_level(&self, level: &str) -> Result<(), Refusal>;
}

/// The levels that there are, the most severe first.
pub const LOG_LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// The refusal of a word that is no level.
pub fn no_such_level() -> Refusal {
    Refusal::field("/level", format!("must be one of: {}", LOG_LEVELS.join(" ")))
}

/// A program without settings or logs of its own: a test.
#[derive(Debug)]
pub struct Bare {
    level: Mutex<String>,
}

impl Default for Bare {
    fn default() -> Self {
        Self { level: Mutex::new("info".to_owned()) }
    }
}

impl Program for Bare {
    fn build(&self) -> Build {
        Build { version: env!("CARGO_PKG_VERSION").to_owned(), commit: "unknown".to_owned() }
    }

    fn settings(&self) -> Settings {
        Settings { settings: BTreeMap::new() }
    }

    fn log_level(&self) -> String {
        self.level.lock().clone()
    }

    fn set_log_level(&self, level: &str) -> Result<(), Refusal> {
        if !LOG_LEVELS.contains(&level) {
            return Err(no_such_level());
        }
        level.clone_into(&mut self.level.lock());
        Ok(())
    }
}
