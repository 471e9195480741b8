//! Refusals: the one error word. A closed list of stable codes, each with a kind; the edge turns kinds into
//! HTTP statuses and exit codes, and `docs/problem/<code>.md` explains each code.

use serde_json::{Map, Value};

/// What sort of refusal it is; decides status and exit code at the edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Cannot be read at all: bad JSON, bad parameter (400).
    Malformed,
    /// No valid token (401).
    Unauthenticated,
    /// A valid token without the right (403).
    Denied,
    /// No such thing, or not in the caller's scopes (404).
    Missing,
    /// The path exists, the method does not (405).
    Method,
    /// It came too slowly to wait for (408).
    Slow,
    /// The thing is in a state that forbids it (409).
    Conflict,
    /// It was there, and is no more (410).
    Gone,
    /// `If-Match` did not match (412).
    Precondition,
    /// Too many bytes (413).
    TooLarge,
    /// Not a media type that is read here (415).
    MediaType,
    /// A range that the thing does not have (416).
    Range,
    /// Sent to a host name that is not ours (421).
    Misdirected,
    /// Well-formed but invalid (422).
    Invalid,
    /// Too many of them (429).
    Limited,
    /// Nothing wrong with it, but not now (503).
    Overloaded,
    /// Our fault (500).
    Broken,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $kind:ident;)+) => {
        /// The stable code of a refusal: `snake_case` on the wire, one page a code under `docs/problem/`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[doc = $doc])+ $name,)+ }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// What sort of refusal it is.
            pub const fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind,)+ }
            }

            /// One line for people: the title of its problem document.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim(),)+ }
            }
        }
    };
}

codes! {
    /// The request could not be read
    Malformed = "malformed", Malformed;
    /// The body is not JSON
    BadJson = "bad_json", Malformed;
    /// A parameter has a wrong value
    BadParameter = "bad_parameter", Malformed;
    /// The Host header is missing, doubled or contradicts the request
    BadHost = "bad_host", Malformed;
    /// A token is needed
    Unauthenticated = "unauthenticated", Unauthenticated;
    /// The token's role has no right to this
    Forbidden = "forbidden", Denied;
    /// The named scope is not one of the token's
    ScopeForbidden = "scope_forbidden", Denied;
    /// The named queue is not one of the token's
    QueueForbidden = "queue_forbidden", Denied;
    /// The page that sent this is not the console's
    OriginForbidden = "origin_forbidden", Denied;
    /// Who submitted a change may not decide on it
    SelfApproval = "self_approval", Denied;
    /// The gate does not name this identity among those who decide
    NotADecider = "not_a_decider", Denied;
    /// There is no such thing
    NotFound = "not_found", Missing;
    /// There is no such path
    NoSuchPath = "no_such_path", Missing;
    /// The path does not take this method
    MethodNotAllowed = "method_not_allowed", Method;
    /// The request came too slowly
    TooSlow = "too_slow", Slow;
    /// The generation is not the current one
    StaleGeneration = "stale_generation", Conflict;
    /// The generation was settled another way
    AlreadySettled = "already_settled", Conflict;
    /// The task is final
    AlreadyFinal = "already_final", Conflict;
    /// The task cannot make that move in its state
    WrongState = "wrong_state", Conflict;
    /// A dependency ended badly
    DependencyFailed = "dependency_failed", Conflict;
    /// The dependency would close a cycle
    DependencyCycle = "dependency_cycle", Invalid;
    /// The identity has voted the other way
    AlreadyVoted = "already_voted", Conflict;
    /// The gate has been decided
    AlreadyDecided = "already_decided", Conflict;
    /// The subject is not the one that was shown
    SubjectChanged = "subject_changed", Conflict;
    /// The digest of the subject is missing
    SubjectRequired = "subject_required", Invalid;
    /// The id must be typed to confirm
    ConfirmRequired = "confirm_required", Invalid;
    /// A check failed, so it cannot be approved
    ChecksFailed = "checks_failed", Conflict;
    /// The thing exists already
    AlreadyExists = "already_exists", Conflict;
    /// The thing is still in use
    InUse = "in_use", Conflict;
    /// The same Idempotency-Key is being worked on
    IdempotencyRunning = "idempotency_running", Conflict;
    /// The Idempotency-Key was used with another body
    IdempotencyMismatch = "idempotency_mismatch", Invalid;
    /// Events that old are no longer kept
    CursorCompacted = "cursor_compacted", Gone;
    /// The cursor is of a lost time line
    EpochChanged = "epoch_changed", Gone;
    /// It has changed since it was read
    PreconditionFailed = "precondition_failed", Precondition;
    /// The body is too large
    TooLarge = "too_large", TooLarge;
    /// The request head is too large
    HeadTooLarge = "head_too_large", TooLarge;
    /// The media type is not read here
    UnsupportedMediaType = "unsupported_media_type", MediaType;
    /// The range is outside the thing
    RangeNotSatisfiable = "range_not_satisfiable", Range;
    /// The host name is not this server's
    Misdirected = "misdirected", Misdirected;
    /// A field has a wrong value
    Invalid = "invalid", Invalid;
    /// A field is not known
    UnknownField = "unknown_field", Invalid;
    /// The JSON is nested too deep
    TooDeep = "too_deep", Invalid;
    /// The scope must be named
    ScopeRequired = "scope_required", Invalid;
    /// There is no such scope
    UnknownScope = "unknown_scope", Invalid;
    /// There is no such repository
    UnknownRepository = "unknown_repository", Invalid;
    /// There is no such pipeline
    UnknownPipeline = "unknown_pipeline", Invalid;
    /// The definition of the pipeline has mistakes
    PipelineInvalid = "pipeline_invalid", Invalid;
    /// The run is a stage of another run
    RunIsPart = "run_is_part", Conflict;
    /// There is no such dependency
    UnknownDependency = "unknown_dependency", Invalid;
    /// There is no such agent
    UnknownAgent = "unknown_agent", Invalid;
    /// The repository cannot be used
    RepositoryUnusable = "repository_unusable", Invalid;
    /// The digest does not match the bytes
    DigestMismatch = "digest_mismatch", Invalid;
    /// Too many failed sign-ins from this address
    TooManyFailures = "too_many_failures", Limited;
    /// Too many connections
    TooManyConnections = "too_many_connections", Overloaded;
    /// Too much is waiting
    Overloaded = "overloaded", Overloaded;
    /// The server is shutting down
    ShuttingDown = "shutting_down", Overloaded;
    /// The disk is nearly full
    StorageLow = "storage_low", Overloaded;
    /// The store does not answer
    StorageBroken = "storage_broken", Overloaded;
    /// The database cannot be reached
    StoreUnreachable = "store_unreachable", Overloaded;
    /// The audit record cannot be written
    AuditUnavailable = "audit_unavailable", Overloaded;
    /// No agent is connected that holds the repository
    NoAgentForRepository = "no_agent_for_repository", Overloaded;
    /// Something broke on our side
    Internal = "internal", Broken;
}

/// One failure of a validation: where and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// JSON Pointer (RFC 6901) to the value, `""` for the whole body.
    pub field: String,
    /// One sentence: what is wrong with it and what would be right.
    pub error: String,
}

/// A refusal: what happened, why, what to do next.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// One sentence for a person.
    pub message: String,
    /// Every failed field, for validation.
    pub faults: Vec<Fault>,
    /// The line and column of each of these, counted from 1, where they are in a text; else empty.
    pub places: Box<[(u32, u32)]>,
    /// When to try again, in milliseconds, for 429 and 503.
    pub retry_after_ms: Option<i64>,
    /// Further members of the problem document (`subject_sha256`, `decided_by`, …).
    pub extra: Map<String, Value>,
}

impl Refusal {
    /// A refusal with its sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            faults: Vec::new(),
            places: Box::default(),
            retry_after_ms: None,
            extra: Map::new(),
        }
    }

    /// A wrong field: 422 `invalid` with its place.
    pub fn field(field: impl Into<String>, error: impl Into<String>) -> Self {
        Self::fault(Code::Invalid, field, error)
    }

    /// A wrong field with a code of its own.
    pub fn fault(code: Code, field: impl Into<String>, error: impl Into<String>) -> Self {
        let (field, error) = (field.into(), error.into());
        let message = if field.is_empty() { error.clone() } else { format!("{field}: {error}") };
        Self { faults: vec![Fault { field, error }], ..Self::new(code, message) }
    }

    /// All faults of a validation as one refusal; `None` when there are none.
    pub fn from_faults(faults: Vec<Fault>) -> Option<Self> {
        let first = faults.first()?;
        let message = format!("{}: {}", first.field, first.error);
        Some(Self { faults, ..Self::new(Code::Invalid, message) })
    }

    /// Nothing of that name or id, as far as this caller may know.
    pub fn missing(what: &str, name: impl std::fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("there is no {what} {name}"))
    }

    /// The same with a further member in its problem document.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(name.to_owned(), value.into());
        self
    }

    /// The same with a time to try again.
    #[must_use]
    pub fn retry_after(mut self, after_ms: i64) -> Self {
        self.retry_after_ms = Some(after_ms);
        self
    }

    /// What sort it is.
    pub const fn kind(&self) -> Kind {
        self.code.kind()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_snake_case_and_distinct() {
        let mut seen = HashSet::new();
        for code in Code::ALL {
            assert!(code.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code:?}");
            assert!(seen.insert(code.as_str()), "{code:?} twice");
            assert!(!code.title().trim().is_empty());
        }
    }
}
