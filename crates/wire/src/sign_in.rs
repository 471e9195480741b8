//! Sign-ins on the wire.

use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use tiltyard_model::id::Id;
use tiltyard_model::role::Role;
use tiltyard_model::secret::REDACTED;

/// Signs a browser in: by a token or by a one-time code, one of the two.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SignInWith")]
#[serde(deny_unknown_fields)]
pub struct With {
    /// A token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// A one-time code; a used one is 401.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl fmt::Debug for With {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |secret: &Option<String>| secret.as_ref().map(|_| REDACTED);
        f.debug_struct("With").field("token", &shown(&self.token)).field("code", &shown(&self.code)).finish()
    }
}

/// Who is signed in. The sign-in itself is in the cookie that comes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SignIn")]
pub struct View {
    /// The token that it stands for, and ends with; none for `ADMIN_TOKEN`.
    pub token: Option<Id>,
    /// The identity.
    pub owner: String,
    /// Labels on the identity.
    pub groups: Vec<String>,
    /// What it may do.
    pub role: Role,
    /// Where.
    pub scopes: Vec<String>,
    /// When it ends.
    pub expires: Time,
}

/// A code that signs a browser in once, as whoever asked for it; shown this once. The console takes it behind the `#`
/// of its address: `/#code=…`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SignInCode")]
pub struct Code {
    /// `jsc_` and 64 hexadecimal digits.
    pub code: String,
    /// When it can be used no more.
    pub expires: Time,
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("code", &REDACTED).field("expires", &self.expires).finish()
    }
}
