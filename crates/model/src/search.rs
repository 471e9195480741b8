//! Searching: the words that are looked for, and what can be found.

use crate::id::Noun;
use crate::refusal::{Code, Refusal};
use serde::{Deserialize, Serialize};

/// Most characters of what is searched for.
pub const MAX_SEARCH_CHARS: usize = 200;
/// Most words of one search.
pub const MAX_SEARCH_WORDS: usize = 10;

/// What a search can find.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "SearchKind")]
pub enum Kind {
    /// A scope, by name and description.
    Scope,
    /// A queue, by name.
    Queue,
    /// An agent, by name.
    Agent,
    /// A repository, by name, place and branch.
    Repository,
    /// A template, by name and description.
    Template,
    /// A task, by title and kind.
    Task,
    /// A change, by its task's title and its repository.
    Change,
    /// A gate, by the title of its change's task and the repository, or by its run's title and pipeline.
    Gate,
    /// A dead letter, by its task's title, its kind and its error.
    DeadLetter,
    /// An artifact, by name, media type and digest.
    Artifact,
    /// A run, by title, pipeline and error.
    Run,
    /// A pipeline, by name.
    Pipeline,
    /// A schedule, by name.
    Schedule,
}

impl Kind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::Scope,
        Self::Queue,
        Self::Agent,
        Self::Repository,
        Self::Template,
        Self::Task,
        Self::Change,
        Self::Gate,
        Self::DeadLetter,
        Self::Artifact,
        Self::Run,
        Self::Pipeline,
        Self::Schedule,
    ];

    /// The kind of a row's number.
    pub fn from_code(code: i64) -> Option<Self> {
        usize::try_from(code).ok().and_then(|code| Self::ALL.get(code).copied())
    }

    /// The noun of its ids; `None` for what bears a name.
    pub const fn noun(self) -> Option<Noun> {
        match self {
            Self::Task => Some(Noun::Task),
            Self::Change => Some(Noun::Change),
            Self::Gate => Some(Noun::Gate),
            Self::DeadLetter => Some(Noun::DeadLetter),
            Self::Artifact => Some(Noun::Artifact),
            Self::Run => Some(Noun::Run),
            Self::Scope
            | Self::Queue
            | Self::Agent
            | Self::Repository
            | Self::Template
            | Self::Pipeline
            | Self::Schedule => None,
        }
    }
}

/// The words of a search: a thing is found when it has all of them, in any order and any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(Vec<String>);

impl Words {
    /// Reads what somebody typed.
    ///
    /// # Errors
    /// 400 `bad_parameter` for none, for more than 200 characters or more than ten words.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let bad = |said: &str| Err(Refusal::new(Code::BadParameter, said));
        if text.chars().count() > MAX_SEARCH_CHARS {
            return bad("`q`: at most 200 characters");
        }
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        if words.is_empty() {
            return bad("`q`: say what to look for: words of a title, a name or an error, or a whole id");
        }
        if words.len() > MAX_SEARCH_WORDS {
            return bad("`q`: at most 10 words");
        }
        Ok(Self(words))
    }

    /// Whether each of the words stands in one of the texts.
    pub fn are_in(&self, texts: [&str; 2]) -> bool {
        let texts = texts.map(str::to_lowercase);
        self.0.iter().all(|word| texts.iter().any(|text| text.contains(word.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_words_are_wanted_in_any_order_and_case() {
        let found = |typed: &str, texts| Words::parse(typed).expect("words").are_in(texts);
        assert!(found("  login FIX ", ["Fix the Login page", ""]));
        assert!(found("ÜBER", ["über", ""]));
        assert!(found("page refused", ["Fix the page", "connection refused"]));
        assert!(!found("page accepted", ["Fix the page", "connection refused"]));
        assert!(found("50%_\\", ["at 50%_\\ done", ""]), "no letter has a meaning of its own");
    }

    #[test]
    fn a_search_has_bounds() {
        let code = |typed: &str| Words::parse(typed).map(drop).map_err(|refusal| refusal.code);
        for bad in ["", "  \t", &"x".repeat(201), &"x ".repeat(11)] {
            assert_eq!(code(bad), Err(Code::BadParameter), "{bad}");
        }
        assert_eq!(code(&"ü".repeat(200)), Ok(()));
    }

    #[test]
    fn numbers_are_those_of_the_statements() {
        for (code, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(Kind::from_code(code as i64), Some(kind));
            assert_eq!(kind as usize, code);
            assert_eq!(kind.noun().is_some(), (5..=10).contains(&code));
        }
        assert_eq!(Kind::from_code(13), None);
    }
}
