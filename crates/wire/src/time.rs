//! Moments on the wire: RFC 3339 in UTC with milliseconds.

use serde::{Deserialize, Serialize};
use tiltyard_model::time::{TimeMs, parse_rfc3339, rfc3339};

/// A moment; `"2026-11-20T07:14:00.123Z"` in JSON. Read with any offset, written in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub TimeMs);

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&rfc3339(self.0))
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(self.0))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let time = parse_rfc3339(&text).map(Self);
        time.ok_or_else(|| {
            serde::de::Error::custom("expected a time such as 2026-11-20T07:14:00Z (RFC 3339)")
        })
    }
}

impl schemars::JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "format": "date-time"})
    }
}
