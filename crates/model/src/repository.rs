//! Repositories: where changes land. What a registration must be like; `settings` says how changes are judged
//! there, `file` reads `.tiltyard.toml`, `rules` puts both together.

pub mod builtin;
mod executed;
pub mod file;
pub mod pattern;
pub mod rules;
pub mod settings;

#[cfg(test)]
mod tests;

use crate::change::work::{self, RulesFile};
use crate::id::Id;
use crate::refusal::Fault;
use crate::slug::is_slug;
use crate::time::TimeMs;
use serde::{Deserialize, Serialize};
use settings::Settings;
use sha2::{Digest as _, Sha256};

/// The target branch of a repository that names none.
pub const DEFAULT_BRANCH: &str = "main";
/// Longest path or URL in bytes.
pub const MAX_SOURCE_BYTES: usize = 4_096;
/// Longest branch name in bytes.
pub const MAX_BRANCH_BYTES: usize = 255;
/// Most repositories of a scope.
pub const MAX_REPOSITORIES: usize = 1_000;

/// Hex digits of a merge's concurrency key.
const KEY_DIGITS: usize = 32;

/// Where a repository is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An absolute path on the agent's machine.
    Path(String),
    /// A remote: `https://…`, `ssh://…` or `user@host:path`.
    Url(String),
}

impl Source {
    /// The path or the URL itself.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Path(text) | Self::Url(text) => text,
        }
    }

    fn fault(&self) -> Option<Fault> {
        let text = self.as_str();
        let plain = !text.is_empty() && text.len() <= MAX_SOURCE_BYTES && !text.chars().any(char::is_control);
        let (field, error) = match self {
            Self::Path(_) if plain && is_clean_path(text) => return None,
            Self::Url(_) if plain && is_remote(text) && !holds_password(text) => return None,
            Self::Path(_) => {
                ("/path", "must be an absolute path without `.` and `..` on the agent's machine")
            }
            Self::Url(_) if holds_password(text) => (
                "/url",
                "must hold no password: leave that to git's credential helper on the agent's machine",
            ),
            Self::Url(_) => ("/url", "must be https://…, http://…, ssh://… or user@host:path"),
        };
        Some(Fault { field: field.to_owned(), error: error.to_owned() })
    }
}

fn is_clean_path(path: &str) -> bool {
    path.starts_with('/') && !path.split('/').any(|part| matches!(part, "." | ".."))
}

/// Only transports that run no program of the URL's choice (`ext::` would), and no local files.
fn is_remote(url: &str) -> bool {
    if let Some((scheme, rest)) = url.split_once("://") {
        return matches!(scheme, "https" | "http" | "ssh")
            && !rest.starts_with(['-', '/'])
            && !rest.is_empty();
    }
    let Some((host, path)) = url.split_once(':') else { return false };
    let named = |letter: char| letter.is_ascii_alphanumeric() || "@.-_".contains(letter);
    !host.starts_with('-') && host.contains('@') && host.chars().all(named) && !path.is_empty()
}

fn holds_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

/// A repository as a person registers it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// Its name, a slug.
    pub name: String,
    /// Where it is.
    pub source: Source,
    /// The branch that changes land on.
    pub branch: String,
    /// The agent that holds its private mirror.
    pub agent: String,
    /// The server's settings for it; they win over `.tiltyard.toml`.
    pub settings: Settings,
}

impl Registration {
    /// The concurrency key of merges: the same for each registration of a scope that names the same branch of the same
    /// place, so that they take turns (C30).
    pub fn target_key(&self) -> String {
        let agent = match self.source {
            Source::Path(_) => self.agent.as_str(),
            Source::Url(_) => "",
        };
        let place = self.source.as_str().trim_end_matches('/').trim_end_matches(".git").trim_end_matches('/');
        let digest = Sha256::digest([agent, place, &self.branch].join("\0"));
        format!("merge:{}", &hex::encode(digest)[..KEY_DIGITS])
    }
}

/// Where a registration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RepositoryState")]
pub enum State {
    /// Its agent looks at it for the first time.
    Probing,
    /// Changes can be made for it.
    Ready,
    /// It was ready, and its agent could not use it when it looked again.
    Unusable,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Probing, Self::Ready, Self::Unusable];

    /// The word on the wire and in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Probing => "probing",
            Self::Ready => "ready",
            Self::Unusable => "unusable",
        }
    }

    /// The state of a word; `None` for another word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// A repository as it is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Repository {
    /// Its scope.
    pub scope: String,
    /// As it is registered.
    pub registration: Registration,
    /// Where it stands.
    pub state: State,
    /// As it is to be registered once its agent has looked at it; `None` when nobody asked for anything else.
    pub candidate: Option<Registration>,
    /// The task that looks at it, or looked last.
    pub probe: Option<Id>,
    /// The head of its target branch, when it was last seen.
    pub head: Option<String>,
    /// The rules file of its target branch, when it was last seen.
    pub rules: Option<RulesFile>,
    /// Why it cannot be used.
    pub error: Option<String>,
    /// When it was registered, in milliseconds since 1970.
    pub created_at: TimeMs,
    /// When its agent last looked at it, in milliseconds since 1970.
    pub probed_at: Option<TimeMs>,
}

impl Repository {
    /// What its agent needs to know of it.
    pub fn place(&self) -> work::Repository {
        place(&self.scope, &self.registration)
    }
}

/// What an agent needs to know of a registration.
pub fn place(scope: &str, registration: &Registration) -> work::Repository {
    work::Repository {
        scope: scope.to_owned(),
        name: registration.name.clone(),
        source: registration.source.clone(),
        branch: registration.branch.clone(),
    }
}

/// Every failure of a registration, each with its place; empty when it may be probed.
pub fn faults(registration: &Registration) -> Vec<Fault> {
    let slug = |field: &str, text: &str| {
        let error = "must be a slug: 1 to 64 of a-z, 0-9, _ and -, not starting with _ or -".to_owned();
        (!is_slug(text)).then(|| Fault { field: field.to_owned(), error })
    };
    let branch = (!is_branch(&registration.branch)).then(|| Fault {
        field: "/branch".to_owned(),
        error: "must be a branch name that git accepts, without refs/heads/".to_owned(),
    });
    let own = [
        slug("/name", &registration.name),
        registration.source.fault(),
        branch,
        slug("/agent", &registration.agent),
    ];
    own.into_iter().flatten().chain(registration.settings.faults()).collect()
}

/// Whether git accepts `name` as a branch (the rules of `git check-ref-format --branch`).
pub fn is_branch(name: &str) -> bool {
    let odd = |letter: char| letter.is_control() || " ~^:?*[\\".contains(letter);
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    !name.is_empty()
        && name.len() <= MAX_BRANCH_BYTES
        && !name.starts_with(['-', '/'])
        && !name.starts_with("refs/")
        && !name.ends_with(['/', '.'])
        && !matches!(name, "@" | "HEAD")
        && !name.contains("..")
        && !name.contains("@{")
        && !name.contains(odd)
        && name.split('/').all(part)
}
