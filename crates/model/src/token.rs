//! Tokens (SEC1): what one is, who may be given which, and how its text and its digest look.

use crate::id::Id;
use crate::refusal::{Fault, Refusal};
use crate::role::{Caller, Reach, Role, SYSTEM_SCOPE};
use crate::slug::is_slug;
use crate::task::{DEFAULT_QUEUE, GIT_QUEUE};
use crate::time::TimeMs;
use sha2::{Digest as _, Sha256};

/// What every token that we mint begins with.
pub const PREFIX: &str = "jst_";
/// Random bytes of a token; two hexadecimal digits each.
pub const RANDOM_BYTES: usize = 32;
/// Fewest characters of an `ADMIN_TOKEN` (SEC2).
pub const MIN_ADMIN_TOKEN_CHARS: usize = 16;
/// Longest text that is looked at as a token, in bytes.
pub const MAX_TEXT_BYTES: usize = 1_024;
/// Longest label and owner in characters.
pub const MAX_LABEL_CHARS: usize = 100;
/// Most scopes, queues and groups of one token.
pub const MAX_NAMES: usize = 100;
/// The identity of `ADMIN_TOKEN` and of the first token.
pub const ADMIN_OWNER: &str = "admin";
/// What the owner of an agent's own token begins with; nobody else is called so.
pub const AGENT_OWNER_PREFIX: &str = "agent:";
/// Owners that no token has: they stand for the program, and for callers who have not said who they are.
pub const RESERVED_OWNERS: [&str; 2] = ["system", "anonymous"];

/// What is kept of a token: everything but its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id; its time is when it was minted.
    pub id: Id,
    /// A line for people.
    pub label: String,
    /// The identity.
    pub owner: String,
    /// Labels on the identity.
    pub groups: Vec<String>,
    /// What it may do.
    pub role: Role,
    /// Where.
    pub reach: Reach,
    /// The queues of a worker; `None` for the other roles.
    pub queues: Option<Vec<String>>,
    /// The agent whose token it is.
    pub agent: Option<String>,
    /// When it ends.
    pub expires: Option<TimeMs>,
    /// When it was used last, to the minute.
    pub last_used: Option<TimeMs>,
    /// When it was revoked or rotated.
    pub revoked: Option<TimeMs>,
}

impl Token {
    /// Who calls with it.
    pub fn caller(&self) -> Caller {
        Caller {
            token: Some(self.id),
            owner: self.owner.clone(),
            groups: self.groups.clone(),
            role: self.role,
            reach: self.reach.clone(),
            queues: queues_of(self.role, self.queues.as_ref()),
            agent: self.agent.clone(),
            expires: self.expires,
            sign_in: None,
        }
    }
}

/// The queues of a token: a worker's that names none works on `default` (SEC3).
pub fn queues_of(role: Role, named: Option<&Vec<String>>) -> Option<Vec<String>> {
    let default = || (role == Role::Worker).then(|| vec![DEFAULT_QUEUE.to_owned()]);
    named.cloned().or_else(default)
}

/// The SHA-256 of a token's text: all that is kept of it.
pub type Digest = [u8; 32];

/// The digest of a token's text.
pub fn digest_of(text: &str) -> Digest {
    Sha256::digest(text).into()
}

/// The text of a token from the operating system's randomness.
pub fn text_of(random: &[u8; RANDOM_BYTES]) -> String {
    format!("{PREFIX}{}", hex::encode(random))
}

/// Asks for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mint {
    /// A line for people.
    pub label: String,
    /// What it may do.
    pub role: Role,
    /// Where: scopes, or `*`.
    pub scopes: Vec<String>,
    /// The queues of a worker; `default` when absent.
    pub queues: Option<Vec<String>>,
    /// The identity; the label when absent.
    pub owner: Option<String>,
    /// Labels on the identity.
    pub groups: Vec<String>,
    /// When it ends.
    pub expires: Option<TimeMs>,
}

impl Mint {
    /// The identity that it asks for.
    pub fn owner(&self) -> &str {
        self.owner.as_deref().unwrap_or(&self.label)
    }
}

/// Whether a token may be asked for like this at `now`; whether its scopes exist, and are the asker's, is seen elsewhere.
///
/// # Errors
/// 422 with every wrong field.
pub fn admit(mint: &Mint, now: TimeMs) -> Result<(), Refusal> {
    let mut faults = Vec::new();
    faults.extend(line_fault("/label", &mint.label));
    faults.extend(owner_fault(mint));
    faults.extend(names_fault("/scopes", &mint.scopes, |scope| {
        scope == "*" || (is_slug(scope) && scope != SYSTEM_SCOPE)
    }));
    if mint.scopes.is_empty() {
        faults.push(fault("/scopes", "must name at least one scope, or `*` for all of them"));
    }
    faults.extend(names_fault("/groups", &mint.groups, is_slug));
    faults.extend(queues_fault(mint));
    if mint.expires.is_some_and(|expires| expires <= now) {
        faults.push(fault("/expires", "must lie ahead"));
    }
    Refusal::from_faults(faults).map_or(Ok(()), Err)
}

fn fault(field: &str, error: impl Into<String>) -> Fault {
    Fault { field: field.to_owned(), error: error.into() }
}

fn line_fault(field: &str, line: &str) -> Option<Fault> {
    let good = !line.trim().is_empty()
        && line.chars().count() <= MAX_LABEL_CHARS
        && !line.chars().any(char::is_control);
    (!good).then(|| fault(field, "must be one line of 1 to 100 characters"))
}

fn owner_fault(mint: &Mint) -> Option<Fault> {
    let (field, owner) = match &mint.owner {
        Some(owner) => ("/owner", owner),
        None => ("/label", &mint.label),
    };
    if RESERVED_OWNERS.contains(&owner.as_str()) || owner.starts_with(AGENT_OWNER_PREFIX) {
        return Some(fault(field, format!("`{owner}` is reserved and can be nobody's identity")));
    }
    mint.owner.as_deref().and_then(|owner| line_fault("/owner", owner))
}

fn names_fault(field: &str, names: &[String], good: impl Fn(&str) -> bool) -> Option<Fault> {
    if names.len() > MAX_NAMES {
        return Some(fault(field, "must be at most 100"));
    }
    let bad = names.iter().find(|name| !good(name))?;
    Some(fault(
        field,
        format!(
            "`{}` is not a name that can stand here: a-z, 0-9, _ and -, at most 64 characters",
            crate::visible::line(bad)
        ),
    ))
}

fn queues_fault(mint: &Mint) -> Option<Fault> {
    let queues = mint.queues.as_ref()?;
    if mint.role != Role::Worker {
        return Some(fault("/queues", "only a worker's token is limited to queues"));
    }
    if queues.is_empty() {
        return Some(fault("/queues", "must name at least one queue; `default` when absent"));
    }
    if queues.iter().any(|queue| queue == GIT_QUEUE) {
        return Some(fault("/queues", "the queue `git` is the agents' own"));
    }
    names_fault("/queues", queues, is_slug)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mint() -> Mint {
        Mint {
            label: "ci".into(),
            role: Role::Worker,
            scopes: vec!["default".into()],
            queues: Some(vec!["builds".into()]),
            owner: None,
            groups: vec!["security".into()],
            expires: Some(20),
        }
    }

    fn fields(mint: &Mint) -> Vec<String> {
        let refused = admit(mint, 10).err().map(|refusal| refusal.faults).unwrap_or_default();
        refused.into_iter().map(|fault| fault.field).collect()
    }

    // SEC1: what we mint is `jst_` and 64 hexadecimal digits, and only its SHA-256 is kept.
    #[test]
    fn sec1_a_text_is_a_prefix_and_64_digits() {
        let text = text_of(&[0xab; RANDOM_BYTES]);
        assert_eq!(text, format!("jst_{}", "ab".repeat(32)));
        let digest = hex::encode(digest_of("abc"));
        assert_eq!(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_mint_names_everything_that_is_wrong() {
        assert_eq!(fields(&mint()), [""; 0]);
        let wrong = Mint {
            label: " ".into(),
            role: Role::Viewer,
            scopes: Vec::new(),
            queues: Some(Vec::new()),
            owner: Some("a\nb".into()),
            groups: vec!["No".into()],
            expires: Some(10),
        };
        assert_eq!(fields(&wrong), ["/label", "/owner", "/scopes", "/groups", "/queues", "/expires"]);
        assert_eq!(fields(&Mint { scopes: vec!["system".into()], ..mint() }), ["/scopes"]);
        assert_eq!(fields(&Mint { scopes: vec!["a".into(); 101], ..mint() }), ["/scopes"]);
    }

    // SEC1: an identity is the owner, the label when none is named; the program's own are nobody else's.
    #[test]
    fn sec1_the_identity_is_the_owner() {
        assert_eq!(mint().owner(), "ci");
        assert_eq!(Mint { owner: Some("ada".into()), ..mint() }.owner(), "ada");
        for reserved in ["system", "anonymous", "agent:x"] {
            assert_eq!(fields(&Mint { label: reserved.into(), ..mint() }), ["/label"]);
            assert_eq!(fields(&Mint { owner: Some(reserved.into()), ..mint() }), ["/owner"]);
        }
    }
}
