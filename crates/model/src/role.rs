//! Who may do what: roles, rights, callers.

use crate::id::Id;
use crate::time::TimeMs;
use serde::{Deserialize, Serialize};

/// The scope that every new store has.
pub const DEFAULT_SCOPE: &str = "default";
/// The reserved scope: the store's own chain of audit entries.
pub const SYSTEM_SCOPE: &str = "system";

/// What a token may do, in one word (SEC3).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Submits, decides, retries, types.
    Operator,
    /// Also tokens, settings, backups.
    Admin,
    /// Its own tasks, and submits.
    Agent,
    /// Submits, claims and settles on the queues that its token names.
    Worker,
}

impl Role {
    /// Every role, in the order of the table.
    pub const ALL: [Self; 5] = [Self::Viewer, Self::Operator, Self::Admin, Self::Agent, Self::Worker];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Agent => "agent",
            Self::Worker => "worker",
        }
    }

    /// The role of a word; `None` for another word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// The rights table (SEC3): whether this role holds `right`.
    pub const fn may(self, right: Right) -> bool {
        match right {
            Right::Open => true,
            Right::Read => matches!(self, Self::Viewer | Self::Operator | Self::Admin),
            Right::ReadWork => true,
            Right::Submit => !matches!(self, Self::Viewer),
            Right::Work => matches!(self, Self::Admin | Self::Operator | Self::Agent | Self::Worker),
            Right::Connect => matches!(self, Self::Admin | Self::Agent),
            Right::Operate => matches!(self, Self::Operator | Self::Admin),
            Right::Administer | Right::Govern => matches!(self, Self::Admin),
        }
    }

    /// Whether a person holds such a token (operator or admin): what makes an identity human (SEC1).
    pub const fn is_personal(self) -> bool {
        matches!(self, Self::Operator | Self::Admin)
    }
}

/// What an endpoint asks of its caller; one column of the rights table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// No token is needed.
    Open,
    /// Lists, streams, records: what viewers see.
    Read,
    /// One task and what hangs on it by id: every token, limited to its scopes, queues and tasks.
    ReadWork,
    /// New tasks.
    Submit,
    /// Claim, heartbeat, settle, release, log.
    Work,
    /// The agent protocol.
    Connect,
    /// Decide, cancel, retry, pause, edit.
    Operate,
    /// Tokens, scopes, repositories.
    Administer,
    /// What is the whole server's: settings, the level of the log, store, migrations. The token covers every scope.
    Govern,
}

impl Right {
    /// Every right.
    pub const ALL: [Self; 9] = [
        Self::Open,
        Self::Read,
        Self::ReadWork,
        Self::Submit,
        Self::Work,
        Self::Connect,
        Self::Operate,
        Self::Administer,
        Self::Govern,
    ];

    /// Whether it is about all scopes at once, so that a token must cover them all.
    pub const fn is_server_wide(self) -> bool {
        matches!(self, Self::Govern)
    }
}

/// The scopes a token covers: all of them, or a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// `["*"]`: every scope, also ones made later, and `system`.
    All,
    /// These scopes only.
    Only(Vec<String>),
}

impl Reach {
    /// Reads a token's `scopes`; `*` anywhere means all.
    pub fn from_list(scopes: &[String]) -> Self {
        if scopes.iter().any(|scope| scope == "*") { Self::All } else { Self::Only(scopes.to_vec()) }
    }

    /// The list form, `["*"]` for all.
    pub fn to_list(&self) -> Vec<String> {
        match self {
            Self::All => vec!["*".to_owned()],
            Self::Only(scopes) => scopes.clone(),
        }
    }

    /// Whether `scope` is covered.
    pub fn covers(&self, scope: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(scopes) => scopes.iter().any(|own| own == scope),
        }
    }

    /// Whether both cover a scope.
    pub fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => true,
            (Self::Only(own), Self::Only(others)) => own.iter().any(|scope| others.contains(scope)),
        }
    }

    /// Whether this one covers every scope of the other.
    pub fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Only(_), Self::All) => false,
            (Self::Only(own), Self::Only(others)) => others.iter().all(|scope| own.contains(scope)),
        }
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Only(mut own), Self::Only(others)) => {
                own.extend(others.iter().cloned());
                own.sort_unstable();
                own.dedup();
                Self::Only(own)
            }
            _ => Self::All,
        }
    }

    /// The scope of a request that names none: the only one, or `default` for all; `None` when the caller
    /// must say (422 `scope_required`).
    pub fn only(&self) -> Option<&str> {
        match self {
            Self::All => Some(DEFAULT_SCOPE),
            Self::Only(scopes) if scopes.len() == 1 => scopes.first().map(String::as_str),
            Self::Only(_) => None,
        }
    }
}

/// Who makes a request, after authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The token's id; `None` for `ADMIN_TOKEN`, `--no-auth` and the program itself.
    pub token: Option<Id>,
    /// The identity: the token's owner.
    pub owner: String,
    /// Labels on the identity, for gates (`group:security`).
    pub groups: Vec<String>,
    /// The role.
    pub role: Role,
    /// The scopes.
    pub reach: Reach,
    /// The queues a worker may claim from; `None` is all.
    pub queues: Option<Vec<String>>,
    /// The agent whose token this is, when it is one.
    pub agent: Option<String>,
    /// When the token expires, or the sign-in.
    pub expires: Option<TimeMs>,
    /// The key of the sign-in by which a browser authenticates; `None` for the token itself.
    pub sign_in: Option<i64>,
}

impl Caller {
    /// The program itself (timers, recovery), with every right.
    pub fn system() -> Self {
        Self {
            token: None,
            owner: "system".to_owned(),
            groups: Vec::new(),
            role: Role::Admin,
            reach: Reach::All,
            queues: None,
            agent: None,
            expires: None,
            sign_in: None,
        }
    }

    /// The identity of a caller who has not said who it is.
    pub const ANONYMOUS: &'static str = "anonymous";

    /// Somebody who has not said who it is, with no right and no scope.
    pub fn anonymous() -> Self {
        Self {
            owner: Self::ANONYMOUS.to_owned(),
            role: Role::Viewer,
            reach: Reach::Only(Vec::new()),
            ..Self::system()
        }
    }

    /// Whether tasks of `queue` are this caller's business.
    pub fn may_use_queue(&self, queue: &str) -> bool {
        self.queues.as_ref().is_none_or(|queues| queues.iter().any(|own| own == queue))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec3_the_rights_table_is_what_the_roles_say() {
        assert!(!Role::Viewer.may(Right::Submit) && Role::Viewer.may(Right::Read));
        assert!(Role::Operator.may(Right::Operate) && !Role::Operator.may(Right::Administer));
        assert!(
            Role::Worker.may(Right::Work)
                && !Role::Worker.may(Right::Read)
                && !Role::Worker.may(Right::Operate)
        );
        assert!(
            Role::Agent.may(Right::Connect)
                && Role::Agent.may(Right::Submit)
                && !Role::Agent.may(Right::Operate)
        );
        assert!(Right::ALL.into_iter().all(|right| Role::Admin.may(right)));
    }

    #[test]
    fn a_reach_names_its_only_scope() {
        assert_eq!(Reach::from_list(&["*".into()]).only(), Some("default"));
        assert_eq!(Reach::from_list(&["a".into()]).only(), Some("a"));
        assert_eq!(Reach::from_list(&["a".into(), "b".into()]).only(), None);
        assert!(!Reach::from_list(&["a".into()]).covers("b"));
    }

    #[test]
    fn sec4_reaches_meet_include_and_add_up() {
        let only = |scopes: &[&str]| Reach::Only(scopes.iter().map(|scope| (*scope).to_owned()).collect());
        assert!(only(&["a", "b"]).meets(&only(&["b", "c"])) && !only(&["a"]).meets(&only(&["b"])));
        assert!(only(&["a"]).meets(&Reach::All) && Reach::All.meets(&only(&[])));
        assert!(only(&["a", "b"]).includes(&only(&["b"])) && !only(&["b"]).includes(&only(&["a", "b"])));
        assert!(Reach::All.includes(&Reach::All) && !only(&["a"]).includes(&Reach::All));
        assert_eq!(only(&["b"]).and(&only(&["a", "b"])), only(&["a", "b"]));
        assert_eq!(only(&["b"]).and(&Reach::All), Reach::All);
    }
}
