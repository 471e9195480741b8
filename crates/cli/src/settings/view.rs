//! The effective settings as `GET /system/settings` shows them; secrets are masked.

use super::key::KEYS;
use super::load::Loaded;
use tiltyard_wire::system::{Setting, Settings};

/// Every setting with its value and the word for where it came from.
pub fn view(loaded: &Loaded) -> Settings {
    let settings = KEYS.iter().map(|key| {
        let origin = loaded.origin(&key.path).word().to_owned();
        (key.path.clone(), Setting { value: loaded.value(key), origin })
    });
    Settings { settings: settings.collect() }
}
