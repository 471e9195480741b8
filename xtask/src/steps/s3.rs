//! A server that speaks S3 for the tests: s3rver, a package of npm.

use super::{End, npm};
use anyhow::Result;

/// Installs it where it is not there. The tests of shared bytes are never passed over in silence.
pub(super) fn there() -> Result<End> {
    npm::there("s3rver").map(|_| End::Ok)
}
