//! Sign-ins (SEC2, API1): what a browser holds in place of a token, and the one-time codes that give one.

use crate::role::Caller;
use crate::time::{DurationMs, HOUR_MS, MINUTE_MS, TimeMs};
use crate::token::{Digest, RANDOM_BYTES};
use sha2::{Digest as _, Sha256};

/// How long a sign-in lasts; never longer than its token.
pub const SIGN_IN_MS: DurationMs = 7 * 24 * HOUR_MS;
/// How long a code can be used.
pub const CODE_MS: DurationMs = 15 * MINUTE_MS;
/// Most sign-ins of one token at once: one more ends the oldest.
pub const MAX_SIGN_INS_PER_TOKEN: usize = 100;
/// Most unused codes of one token: one more ends the oldest.
pub const MAX_CODES_PER_TOKEN: usize = 10;
/// Most sign-ins and codes of a store.
pub const MAX_SIGN_INS: usize = 10_000;
/// What the text of a code begins with.
pub const CODE_PREFIX: &str = "jsc_";
/// What the text of a sign-in, which is its cookie, begins with.
pub const COOKIE_PREFIX: &str = "jss_";

/// Which of the two a text stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// To be exchanged once for a sign-in.
    Code,
    /// Authenticates.
    SignIn,
}

impl Kind {
    /// How long one lasts.
    pub const fn lasts_ms(self) -> DurationMs {
        match self {
            Self::Code => CODE_MS,
            Self::SignIn => SIGN_IN_MS,
        }
    }

    /// Most that one token may have at once.
    pub const fn most_per_token(self) -> usize {
        match self {
            Self::Code => MAX_CODES_PER_TOKEN,
            Self::SignIn => MAX_SIGN_INS_PER_TOKEN,
        }
    }

    /// Its text, from the operating system's randomness.
    pub fn text_of(self, random: &[u8; RANDOM_BYTES]) -> String {
        let prefix = match self {
            Self::Code => CODE_PREFIX,
            Self::SignIn => COOKIE_PREFIX,
        };
        format!("{prefix}{}", hex::encode(random))
    }
}

/// A sign-in or a code, as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignIn {
    /// Its key.
    pub key: i64,
    /// Which of the two.
    pub kind: Kind,
    /// The key of the token that it stands for; `None` for `ADMIN_TOKEN`.
    pub token: Option<i64>,
    /// When it ends, in milliseconds since 1970.
    pub expires: TimeMs,
}

/// When what is made for `caller` at `now` ends: it never outlives the token (SEC19).
pub fn expiry(kind: Kind, caller: &Caller, now: TimeMs) -> TimeMs {
    let own = now.saturating_add(kind.lasts_ms());
    caller.expires.map_or(own, |expires| own.min(expires))
}

/// The digest of a text that stands for `ADMIN_TOKEN`: it is found only while the variable is what it was, and tells
/// nobody who reads the store what that is.
pub fn digest_beside(text: &str, admin: &Digest) -> Digest {
    Sha256::new().chain_update(text).chain_update(admin).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::digest_of;

    // SEC19: a sign-in never outlives its token.
    #[test]
    fn sec19_nothing_outlives_its_token() {
        let endless = Caller::system();
        assert_eq!(expiry(Kind::Code, &endless, 5), 5 + CODE_MS);
        assert_eq!(expiry(Kind::SignIn, &endless, 5), 5 + SIGN_IN_MS);
        let short = Caller { expires: Some(60), ..Caller::system() };
        assert_eq!(expiry(Kind::SignIn, &short, 5), 60);
        assert_eq!(expiry(Kind::Code, &short, 5), 60);
    }

    // SEC2: what stands for ADMIN_TOKEN is found for as long as the variable says so, and no longer.
    #[test]
    fn sec2_the_digest_holds_the_admin_token() {
        let (text, one, other) =
            (Kind::SignIn.text_of(&[7; RANDOM_BYTES]), digest_of("one"), digest_of("other"));
        assert_eq!(text, format!("jss_{}", "07".repeat(32)));
        assert_eq!(digest_beside(&text, &one), digest_beside(&text, &one));
        assert_ne!(digest_beside(&text, &one), digest_beside(&text, &other));
        assert_ne!(digest_beside(&text, &one), digest_of(&text));
    }
}
