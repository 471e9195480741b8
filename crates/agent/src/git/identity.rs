//! Who a commit of ours is by, and when: both are arguments, so the same work makes the same commit.

use serde::{Deserialize, Serialize};

use super::command::Call;
use super::name::{BadName, bad};

/// The longest name or address, in bytes.
pub const MAX_IDENTITY_BYTES: usize = 200;

/// An author or committer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Identity {
    name: String,
    email: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Written {
    name: String,
    email: String,
}

impl Identity {
    /// An identity. Errors: empty, too long, or with characters that would end a header of a commit.
    pub fn new(name: &str, email: &str) -> Result<Self, BadName> {
        let fit = |text: &str| {
            !text.trim().is_empty()
                && text.len() <= MAX_IDENTITY_BYTES
                && !text.contains(|c: char| c.is_control() || c == '<' || c == '>')
        };
        if fit(name) && fit(email) {
            return Ok(Self { name: name.trim().to_owned(), email: email.trim().to_owned() });
        }
        Err(bad(
            "identity",
            &format!("{name} <{email}>"),
            "a name and an address of 1 to 200 bytes without `<`, `>`",
        ))
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address.
    pub fn email(&self) -> &str {
        &self.email
    }
}

impl TryFrom<Written> for Identity {
    type Error = BadName;
    fn try_from(written: Written) -> Result<Self, BadName> {
        Self::new(&written.name, &written.email)
    }
}

impl From<Identity> for Written {
    fn from(identity: Identity) -> Self {
        Self { name: identity.name, email: identity.email }
    }
}

/// An identity at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Who.
    pub by: Identity,
    /// When, in milliseconds since the epoch; git keeps the seconds.
    pub at_ms: i64,
}

impl Signature {
    /// The date as git takes it.
    pub(crate) fn date(&self) -> String {
        format!("@{} +0000", self.at_ms.div_euclid(1000).max(0))
    }

    /// Signs a call as committer.
    pub(crate) fn commits<'a>(&self, call: Call<'a>) -> Call<'a> {
        let call = call.env("GIT_COMMITTER_NAME", &self.by.name).env("GIT_COMMITTER_EMAIL", &self.by.email);
        call.env("GIT_COMMITTER_DATE", self.date())
    }

    /// Signs a call as author and committer.
    pub(crate) fn signs<'a>(&self, call: Call<'a>) -> Call<'a> {
        let call = call.env("GIT_AUTHOR_NAME", &self.by.name).env("GIT_AUTHOR_EMAIL", &self.by.email);
        self.commits(call.env("GIT_AUTHOR_DATE", self.date()))
    }
}
