//! From `tracing` to lines: gathers the fields of the spans around an event and writes one line of it.

use super::LevelHandle;
use super::line::{Fields, Line};
use super::rotate::RotatingFile;
use super::target::{is_ours, resolve};
use crate::output::style::Paint;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use tiltyard_model::time::TimeMs;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// How lines look on the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty(Paint),
}

/// Where lines go.
pub struct Sinks {
    style: Style,
    open: Mutex<Open>,
}

struct Open {
    stream: Box<dyn Write + Send>,
    file: Option<RotatingFile>,
}

impl Sinks {
    /// A stream, and a file that always gets JSON.
    pub fn new(stream: Box<dyn Write + Send>, style: Style, file: Option<RotatingFile>) -> Self {
        Self { style, open: Mutex::new(Open { stream, file }) }
    }

    fn write(&self, line: &Line) {
        let json = line.json();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = match self.style {
            Style::Json => open.stream.write_all(json.as_bytes()),
            Style::Pretty(paint) => open.stream.write_all(line.pretty(paint).as_bytes()),
        };
        // A closed stderr cannot be told of; the file goes on.
        drop(shown);
        if let Some(Err(error)) = open.file.as_mut().map(|file| file.write_line(json.as_bytes())) {
            // Said once: the file is given up, the stream goes on.
            open.file = None;
            drop(writeln!(
                open.stream,
                r#"{{"level":"error","target":"config","msg":"log file given up: {error}"}}"#
            ));
        }
    }
}

/// The layer that writes lines.
pub struct Lines {
    level: LevelHandle,
    sinks: Sinks,
    now: fn() -> TimeMs,
}

impl Lines {
    /// Writes to `sinks` what `level` lets through.
    pub fn new(level: LevelHandle, sinks: Sinks) -> Self {
        Self { level, sinks, now }
    }

    /// Libraries are heard from `warn` on only: their `info` is our `debug`.
    fn lets_through(&self, metadata: &Metadata<'_>) -> bool {
        let level = *metadata.level();
        level <= self.level.filter() && (level <= Level::WARN || is_ours(metadata.target()))
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.lets_through(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.lets_through(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level.filter())
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.extend(outer);
            }
        }
        event.record(&mut fields);
        let metadata = event.metadata();
        if !is_ours(metadata.target()) {
            fields.set("module", metadata.target().into());
        }
        let target = resolve(metadata.target());
        self.sinks.write(&Line { time: (self.now)(), level: *metadata.level(), target, fields });
    }
}

#[expect(clippy::disallowed_methods, reason = "a log line tells the wall clock; nothing is decided by it")]
fn now() -> TimeMs {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(0)
}
