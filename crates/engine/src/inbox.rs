//! The inbox (D27): everything that waits for a person, what most waits behind first, then older first.

use crate::act::refusal_of;
use crate::gate::read::within;
use crate::task::access::may_reach;
use tiltyard_model::dead_letter::Letter;
use tiltyard_model::gate::SubjectKind;
use tiltyard_model::id::Noun;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::role::Caller;
use tiltyard_store::gate::{self, Found};
/// A place in the inbox.
pub use tiltyard_store::inbox::After;
use tiltyard_store::inbox::{self, Entry, Sort, Window};
use tiltyard_store::{Rows, dead_letter, name};

/// Up to here the total is exact.
const MAX_EXACT_TOTAL: u32 = 10_000;

/// What sort of thing waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A gate of a run that asks about an artifact.
    Gate,
    /// A gate of a run that asks a question.
    Question,
    /// A change.
    Change,
    /// A dead letter.
    DeadLetter,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Gate, Self::Question, Self::Change, Self::DeadLetter];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Question => "question",
            Self::Change => "change",
            Self::DeadLetter => "dead_letter",
        }
    }

    /// The kind of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    const fn sort(self) -> Option<Sort> {
        match self {
            Self::Gate => Some(Sort::Gate),
            Self::Question => Some(Sort::Question),
            Self::Change => Some(Sort::Change),
            Self::DeadLetter => None,
        }
    }
}

/// What part of the inbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Scopes by name; `None` for all.
    pub scopes: Option<Vec<String>>,
    /// The sort; all when absent.
    pub kind: Option<Kind>,
}

/// Something that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// How much waits behind it.
    pub blocked: i64,
    /// Where it lies.
    pub place: After,
    /// What it is.
    pub thing: Thing,
}

/// What waits.
#[derive(Debug, Clone, PartialEq)]
pub enum Thing {
    /// A gate, of a run or a change.
    Gate(Box<Found>),
    /// A dead letter.
    Letter(Box<Letter>),
}

impl Thing {
    /// What sort of thing it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Letter(_) => Kind::DeadLetter,
            Self::Gate(found) if found.change.is_some() => Kind::Change,
            Self::Gate(found) if found.about.kind == SubjectKind::Question => Kind::Question,
            Self::Gate(_) => Kind::Gate,
        }
    }
}

/// A page of the inbox.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// What most waits behind first.
    pub items: Vec<Item>,
    /// The place after which the next page begins.
    pub next: Option<After>,
    /// How many there are in all, counted up to 10,001.
    pub total: u64,
}

/// Which source an entry comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Gates,
    Letters,
}

/// What waits for a person in the caller's scopes, `limit` from `after` on. A thing that is decided while it is read is
/// left out.
///
/// # Errors
/// When the store is broken.
pub fn page(
    rows: &Rows,
    caller: &Caller,
    filter: &Filter,
    (after, limit): (After, u32),
) -> Result<Page, Refusal> {
    let scopes = keys(rows, caller, filter.scopes.clone())?;
    let window = Window { after, limit: limit + 1 };
    let mut found = Vec::new();
    let mut total = 0;
    for scope in &scopes {
        read(rows, *scope, filter.kind, window, &mut found)?;
        total += count(rows, *scope, filter.kind)?;
    }
    // Keys are unique among all nouns: gates and letters have one order.
    found.sort_unstable_by_key(|(entry, _)| (std::cmp::Reverse(entry.weight), entry.key));
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let last = found.last().map(|(entry, _)| After { weight: entry.weight, key: entry.key });
    let mut items = Vec::new();
    for (entry, source) in found {
        items.extend(item(rows, caller, entry, source)?);
    }
    Ok(Page { items, next: last.filter(|_| more), total: total.min(u64::from(MAX_EXACT_TOTAL) + 1) })
}

/// The keys of the scopes that are looked through; one `None` for all there are.
fn keys(rows: &Rows, caller: &Caller, named: Option<Vec<String>>) -> Result<Vec<Option<i64>>, Refusal> {
    let Some(named) = within(caller, named) else { return Ok(vec![None]) };
    let scopes = name::scopes(rows).map_err(refusal_of)?;
    Ok(scopes.iter().filter(|row| named.contains(&row.scope.name)).map(|row| Some(row.key)).collect())
}

fn read(
    rows: &Rows,
    scope: Option<i64>,
    kind: Option<Kind>,
    window: Window,
    found: &mut Vec<(Entry, Source)>,
) -> Result<(), Refusal> {
    if kind != Some(Kind::DeadLetter) {
        let gates = inbox::gates(rows, scope, kind.and_then(Kind::sort), window).map_err(refusal_of)?;
        found.extend(gates.into_iter().map(|entry| (entry, Source::Gates)));
    }
    if matches!(kind, None | Some(Kind::DeadLetter)) {
        let letters = inbox::letters(rows, scope, window).map_err(refusal_of)?;
        found.extend(letters.into_iter().map(|entry| (entry, Source::Letters)));
    }
    Ok(())
}

fn count(rows: &Rows, scope: Option<i64>, kind: Option<Kind>) -> Result<u64, Refusal> {
    let limit = MAX_EXACT_TOTAL + 1;
    let mut count = 0;
    if kind != Some(Kind::DeadLetter) {
        count += inbox::count_gates(rows, scope, kind.and_then(Kind::sort), limit).map_err(refusal_of)?;
    }
    if matches!(kind, None | Some(Kind::DeadLetter)) {
        count += inbox::count_letters(rows, scope, limit).map_err(refusal_of)?;
    }
    Ok(count)
}

fn item(rows: &Rows, caller: &Caller, entry: Entry, source: Source) -> Result<Option<Item>, Refusal> {
    let thing = match source {
        Source::Gates => {
            let found = gate::get(rows, rows.id(Noun::Gate, entry.key)).map_err(refusal_of)?;
            found.map(|found| Thing::Gate(Box::new(found)))
        }
        Source::Letters => {
            let letter = dead_letter::get(rows, entry.key).map_err(refusal_of)?;
            let letter = letter.filter(|letter| may_reach(caller, &letter.scope, &letter.queue));
            letter.map(|letter| Thing::Letter(Box::new(letter)))
        }
    };
    let place = After { weight: entry.weight, key: entry.key };
    Ok(thing.map(|thing| Item { blocked: entry.weight, place, thing }))
}
