//! What the program writes about itself (O20): one JSON object a line to stderr, pretty on a terminal, and
//! the same lines to a rotating file if one is set. The level can be changed while it runs.

pub mod line;
pub mod redact;
pub mod rotate;
pub mod subscriber;
pub mod target;

use crate::settings::{Log, LogFormat, LogLevel};
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use subscriber::{Lines, Sinks, Style};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

/// Changes the level of a running program. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LevelHandle {
    level: Arc<AtomicU8>,
}

impl LevelHandle {
    /// A handle that begins at `level`.
    pub fn new(level: LogLevel) -> Self {
        Self { level: Arc::new(AtomicU8::new(level as u8)) }
    }

    /// The level in force.
    pub fn level(&self) -> LogLevel {
        let number = self.level.load(Ordering::Relaxed);
        LogLevel::ALL.into_iter().find(|level| *level as u8 == number).unwrap_or_default()
    }

    /// Puts another level in force, until the next change or restart.
    pub fn set_level(&self, level: LogLevel) {
        self.level.store(level as u8, Ordering::Relaxed);
        tracing::callsite::rebuild_interest_cache();
    }

    fn filter(&self) -> LevelFilter {
        match self.level() {
            LogLevel::Error => LevelFilter::ERROR,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Debug => LevelFilter::DEBUG,
            LogLevel::Trace => LevelFilter::TRACE,
        }
    }
}

impl LogLevel {
    /// Every level, the most severe first.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The word in settings and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    /// The level of a word; `None` for another word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == word)
    }
}

/// Begins to log, for the whole process and for good. A second call in one process changes nothing but
/// returns a handle of its own.
///
/// # Errors
/// When the log file cannot be opened.
pub fn start(settings: &Log) -> std::io::Result<LevelHandle> {
    let handle = LevelHandle::new(settings.level);
    let file = settings.file.as_deref().map(rotate::RotatingFile::open).transpose()?;
    let lines =
        Lines::new(handle.clone(), Sinks::new(Box::new(std::io::stderr()), style(settings.format), file));
    // The only error is that one is set already, which is what the caller wants.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines));
    Ok(handle)
}

fn style(format: LogFormat) -> Style {
    let terminal = std::io::stderr().is_terminal();
    match format {
        LogFormat::Json => Style::Json,
        LogFormat::Auto if !terminal => Style::Json,
        LogFormat::Auto | LogFormat::Pretty => Style::Pretty(crate::output::style::Paint::of_stderr()),
    }
}
