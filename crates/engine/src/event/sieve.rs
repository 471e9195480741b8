//! A filter ready for many events: what a page asks the store for, asked of events in memory.

use super::{Event, Filter};
use std::collections::HashSet;
use tiltyard_model::event::{Subject, Type};
use tiltyard_model::id::{Id, Noun};

/// A filter with its types as a set of bits.
#[derive(Debug, Clone)]
pub(super) struct Sieve {
    pub(super) filter: Filter,
    types: Types,
}

/// A set of types, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Types([u64; TYPE_WORDS]);

/// Numbers of types are below this many times 64.
const TYPE_WORDS: usize = 4;

impl Types {
    const ALL: Self = Self([u64::MAX; TYPE_WORDS]);

    pub(super) fn of(types: impl IntoIterator<Item = Type>) -> Self {
        let mut set = Self::default();
        for kind in types {
            let code = kind.code() as usize;
            set.0[code / 64] |= 1 << (code % 64);
        }
        set
    }

    fn has(self, kind: Type) -> bool {
        let code = kind.code() as usize;
        self.0[code / 64] & (1 << (code % 64)) != 0
    }

    fn meets(self, other: Self) -> bool {
        self.0.iter().zip(other.0).any(|(own, other)| own & other != 0)
    }
}

/// What a batch of events is about: most filters can be answered for all of it at once.
#[derive(Debug)]
pub(super) struct Gist<'a> {
    types: Types,
    scopes: HashSet<&'a str>,
}

impl<'a> Gist<'a> {
    pub(super) fn of(events: impl Iterator<Item = &'a Event> + Clone) -> Self {
        Self {
            types: Types::of(events.clone().map(|event| event.kind)),
            scopes: events.map(|event| event.scope.as_str()).collect(),
        }
    }
}

impl Sieve {
    pub(super) fn new(filter: Filter) -> Self {
        let types = filter.types.as_ref().map_or(Types::ALL, |types| Types::of(types.iter().copied()));
        Self { filter, types }
    }

    /// Whether some event of a batch can pass.
    pub(super) fn may_pass(&self, gist: &Gist<'_>) -> bool {
        let scopes = self.filter.scopes.as_ref();
        self.types.meets(gist.types)
            && scopes.is_none_or(|own| own.iter().any(|scope| gist.scopes.contains(scope.as_str())))
    }

    /// Whether an event passes.
    pub(super) fn passes(&self, event: &Event) -> bool {
        let filter = &self.filter;
        self.types.has(event.kind)
            && filter.scopes.as_ref().is_none_or(|own| own.contains(&event.scope))
            && (!filter.runs_only || event.run.is_some())
            && filter.run.is_none_or(|run| event.run == Some(run))
            && filter.subject.as_ref().is_none_or(|subject| is_about(event, subject))
    }
}

/// The thing itself, or for a task what belongs to it.
fn is_about(event: &Event, subject: &Subject) -> bool {
    let belongs = |id: &Id| id.noun() == Noun::Task && event.task == Some(*id);
    event.subject == *subject || matches!(subject, Subject::Id(id) if belongs(id))
}
