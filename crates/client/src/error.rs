//! What can go wrong between a caller and a server.

use tiltyard_wire::problem::Problem;

/// Why a call did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is no address of a server.
    #[error("{url:?} is no address of a server: {reason}")]
    BadAddress {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody answers there: the request was not sent.
    #[error("{url} does not answer: {reason}")]
    Unreachable {
        /// The server.
        url: String,
        /// Why, as far as it is known.
        reason: String,
    },
    /// The request went out and no whole answer came back: what it asked for may or may not have happened.
    #[error("the connection to {url} broke before the answer was whole: {reason}")]
    Interrupted {
        /// The server.
        url: String,
        /// Why, as far as it is known.
        reason: String,
    },
    /// The server said no.
    #[error("{}", .0.detail)]
    Refused(Box<Refused>),
    /// The answer is not what this program understands: another program, or another version.
    #[error("{url} gave an answer that is not understood (status {status}): {reason}")]
    Unreadable {
        /// The server.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        reason: String,
    },
    /// A frame is larger than the protocol allows; it was not sent, and the connection stands.
    #[error("a frame of {bytes} bytes is larger than the protocol allows")]
    FrameTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// A WebSocket was closed by the other side.
    #[error("the server closed the connection ({code}): {reason}")]
    Closed {
        /// The close code (API23); 1006 when the connection just ended.
        code: u16,
        /// Why, as the server says.
        reason: String,
    },
}

/// A problem document, and what its headers add.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// The document.
    pub problem: Problem,
    /// When to try again, in milliseconds (`Retry-After`).
    pub retry_after_ms: Option<u64>,
}

impl std::ops::Deref for Refused {
    type Target = Problem;

    fn deref(&self) -> &Problem {
        &self.problem
    }
}

impl Error {
    /// The stable code of a refusal.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(refused) => Some(&refused.code),
            _ => None,
        }
    }

    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(refused) => Some(refused.status),
            Self::Unreadable { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The refusal, when it is one.
    pub fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            _ => None,
        }
    }

    /// Whether the same call could do better a moment later: nobody was there, or they were busy.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Interrupted { .. } => true,
            Self::Refused(refused) => matches!(refused.status, 429 | 503),
            Self::Closed { code, .. } => matches!(code, 1001 | 1006 | 1011 | 1012 | 1013),
            Self::Unreadable { status, .. } => matches!(status, 502..=504),
            Self::BadAddress { .. } | Self::FrameTooLarge { .. } => false,
        }
    }
}

/// The innermost reason of an error: what a person can act on.
pub(crate) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
