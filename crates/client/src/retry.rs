//! When a call is tried again: only where a second time does no harm, a few times, and with growing pauses.

use crate::error::Error;
use std::time::Duration;
use tiltyard_wire::endpoint::{Method, Row};

/// Most tries of one call.
pub const MAX_TRIES: u32 = 3;
/// Longest pause between two tries; a server that asks for more is believed, and not waited for.
pub const MAX_PAUSE: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Whether a call may be made twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// A second time has no second effect.
    Harmless,
    /// A second time may do it twice.
    Harmful,
}

impl Repeat {
    /// Reads, puts and deletes may be repeated; a post only with a key of its own (API5), or where its
    /// generation guards it (E8), which the caller says.
    pub const fn of(row: &Row) -> Self {
        match row.method {
            Method::Post | Method::Patch => Self::Harmful,
            Method::Get | Method::Put | Method::Delete => Self::Harmless,
        }
    }
}

/// The pause before the next try; `None` when there should be none.
///
/// A connection that could not be made is not tried again: whoever asked wants to know at once.
pub fn pause(error: &Error, repeat: Repeat, tries: u32) -> Option<Duration> {
    if tries >= MAX_TRIES {
        return None;
    }
    let grown = FIRST_PAUSE * 4_u32.pow(tries.saturating_sub(1));
    match error {
        Error::Interrupted { .. } if repeat == Repeat::Harmless => Some(grown),
        // A refusal had no effect, so any call may be made again.
        Error::Refused(refused) if matches!(refused.status, 429 | 503) => {
            let wanted = refused.retry_after_ms.map_or(grown, Duration::from_millis);
            (wanted <= MAX_PAUSE).then_some(wanted.max(grown))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Refused;
    use tiltyard_wire::problem::Problem;

    fn interrupted() -> Error {
        Error::Interrupted { url: String::new(), reason: String::new() }
    }

    fn refused(status: u16, retry_after_ms: Option<u64>) -> Error {
        let problem = Problem {
            kind: String::new(),
            title: String::new(),
            status,
            detail: String::new(),
            error: String::new(),
            code: "overloaded".into(),
            request_id: String::new(),
            field: None,
            details: Vec::new(),
            path: None,
            extra: serde_json::Map::new(),
        };
        Error::Refused(Box::new(Refused { problem, retry_after_ms }))
    }

    #[test]
    fn what_may_have_happened_is_repeated_only_where_that_does_no_harm() {
        assert_eq!(pause(&interrupted(), Repeat::Harmful, 1), None);
        assert_eq!(pause(&interrupted(), Repeat::Harmless, 1), Some(Duration::from_millis(100)));
        assert_eq!(pause(&interrupted(), Repeat::Harmless, 2), Some(Duration::from_millis(400)));
        assert_eq!(pause(&interrupted(), Repeat::Harmless, MAX_TRIES), None);
    }

    // E7: 503 with Retry-After is what a busy server says; it had no effect.
    #[test]
    fn e7_a_busy_server_is_asked_again_after_the_time_it_names() {
        assert_eq!(pause(&refused(503, Some(1_000)), Repeat::Harmful, 1), Some(Duration::from_secs(1)));
        assert_eq!(pause(&refused(503, Some(60_000)), Repeat::Harmless, 1), None);
        assert_eq!(pause(&refused(409, None), Repeat::Harmless, 1), None);
        assert_eq!(pause(&refused(500, None), Repeat::Harmless, 1), None);
    }
}
