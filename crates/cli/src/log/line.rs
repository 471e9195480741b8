//! One line: its fields in a fixed order, as JSON or for people.

use super::redact::{is_secret_name, redact};
use crate::output::style::{Colour, Paint};
use serde_json::Value;
use std::fmt::Write;
use tiltyard_model::secret::REDACTED;
use tiltyard_model::time::{TimeMs, rfc3339};
use tiltyard_model::visible;
use tracing::Level;
use tracing::field::{Field, Visit};

/// Fields that come first, in this order.
const LEADING: &[&str] = &["request_id", "task_id", "run_id", "agent", "terminal", "scope"];
/// Longest text of one field in bytes; the rest is cut.
pub const MAX_FIELD_BYTES: usize = 8 * 1024;
/// Most fields of a line; further ones are left out.
pub const MAX_FIELDS: usize = 64;

/// Named values of a span or an event; a later value of the same name wins.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields(Vec<(&'static str, Value)>);

/// Everything that one line says.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// When.
    pub time: TimeMs,
    /// How severe.
    pub level: Level,
    /// Which part of the program.
    pub target: &'static str,
    /// The rest: `message` and what the spans around it know.
    pub fields: Fields,
}

impl Fields {
    /// Sets a value.
    pub fn set(&mut self, name: &'static str, value: Value) {
        if let Some(place) = self.0.iter_mut().find(|(known, _)| *known == name) {
            place.1 = value;
        } else if self.0.len() < MAX_FIELDS {
            self.0.push((name, value));
        }
    }

    /// Lays `inner` over these.
    pub fn extend(&mut self, inner: &Self) {
        for (name, value) in &inner.0 {
            self.set(name, value.clone());
        }
    }

    fn text(&mut self, field: &Field, text: &str) {
        let text = if is_secret_name(field.name()) { REDACTED.into() } else { redact(cut(text)) };
        self.set(field.name(), Value::from(text.into_owned()));
    }

    fn message(&self) -> &str {
        self.0.iter().find(|(name, _)| *name == "message").and_then(|(_, value)| value.as_str()).unwrap_or("")
    }

    /// All but the message, the leading ones first.
    fn ordered(&self) -> impl Iterator<Item = &(&'static str, Value)> {
        let leading = LEADING.iter().filter_map(|wanted| self.0.iter().find(|(name, _)| name == wanted));
        let others = self.0.iter().filter(|(name, _)| !LEADING.contains(name) && *name != "message");
        leading.chain(others)
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_FIELD_BYTES)]
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.text(field, &value.to_string());
    }
}

impl Line {
    /// One JSON object and a line feed.
    pub fn json(&self) -> String {
        let mut text = format!(
            r#"{{"ts":"{}","level":"{}","target":"{}","msg":{}"#,
            rfc3339(self.time),
            self.level.as_str().to_ascii_lowercase(),
            self.target,
            Value::from(self.fields.message()),
        );
        for (name, value) in self.fields.ordered() {
            write!(text, r#","{name}":{value}"#).expect("a String takes any text");
        }
        text.push_str("}\n");
        text
    }

    /// One line for people, with nothing in it that a terminal would obey.
    pub fn pretty(&self, paint: Paint) -> String {
        let clock = rfc3339(self.time)[11..23].to_owned();
        let level = paint.colour(colour(self.level), &format!("{:<5}", self.level.as_str()));
        let mut text = format!(
            "{} {level} {:<9} {}",
            paint.colour(Colour::Dim, &clock),
            self.target,
            visible::line(self.fields.message())
        );
        for (name, value) in self.fields.ordered() {
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let pair = format!(" {name}={}", visible::line(&shown));
            text.push_str(&paint.colour(Colour::Dim, &pair));
        }
        text.push('\n');
        text
    }
}

fn colour(level: Level) -> Colour {
    match level {
        Level::ERROR => Colour::Red,
        Level::WARN => Colour::Yellow,
        Level::INFO => Colour::Green,
        _ => Colour::Dim,
    }
}
