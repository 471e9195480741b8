//! What this build is. The time is that of the commit, or `SOURCE_DATE_EPOCH`, so that the same source gives
//! the same program.

use serde::Serialize;
use tiltyard_model::time::{SECOND_MS, rfc3339};

/// What `tiltyard version` tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// The version of the workspace.
    pub version: &'static str,
    /// The commit, `unknown` when built outside of a repository.
    pub commit: &'static str,
    /// When, RFC 3339; `None` when unknown.
    pub built: Option<String>,
    /// The compiler.
    pub compiler: &'static str,
    /// What machine it is for.
    pub target: &'static str,
}

/// The version of this build.
pub fn current() -> Version {
    let seconds = env!("BUILD_SECONDS").parse::<i64>().ok();
    Version {
        version: env!("CARGO_PKG_VERSION"),
        commit: env!("BUILD_COMMIT"),
        built: seconds.map(|seconds| rfc3339(seconds * SECOND_MS)),
        compiler: env!("BUILD_COMPILER"),
        target: env!("BUILD_TARGET"),
    }
}
