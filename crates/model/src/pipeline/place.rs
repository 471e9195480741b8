//! Where something stands in a text, and what is wrong there.

use crate::refusal::Fault;
use serde::{Deserialize, Serialize};

/// Most mistakes that one reading tells; the last one says that there are more.
pub const MAX_MISTAKES: usize = 100;

/// A place in a text, in lines and characters, both counted from 1; 0 where there is no text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

/// A mistake in a definition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Mistake {
    /// The line, counted from 1; 0 where the definition is no text.
    pub line: u32,
    /// The column in characters, counted from 1; 0 where the definition is no text.
    pub column: u32,
    /// JSON Pointer (RFC 6901) to the value, `""` for the whole definition.
    pub field: String,
    /// One sentence: what is wrong and what would be right.
    pub error: String,
}

impl From<Mistake> for Fault {
    fn from(mistake: Mistake) -> Self {
        let Mistake { line, column, field, error } = mistake;
        let error = if line == 0 { error } else { format!("line {line}, column {column}: {error}") };
        Self { field, error }
    }
}

/// The mistakes found so far.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    found: Vec<Mistake>,
    more: usize,
    trust: Trust,
}

/// Whether what is read was judged before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Trust {
    /// It was not.
    #[default]
    Judged,
    /// It was, perhaps by another program with other rules: only what cannot be understood is a mistake.
    Kept,
}

impl Mistakes {
    pub(super) fn with(trust: Trust) -> Self {
        Self { trust, ..Self::default() }
    }

    pub(super) fn trusts(&self) -> bool {
        self.trust == Trust::Kept
    }

    /// Something that is understood and may not be.
    pub(super) fn judge(&mut self, place: Place, field: impl Into<String>, error: impl Into<String>) {
        if !self.trusts() {
            self.add(place, field, error);
        }
    }

    /// Something that is not understood.
    pub(super) fn add(&mut self, place: Place, field: impl Into<String>, error: impl Into<String>) {
        let mistake =
            Mistake { line: place.line, column: place.column, field: field.into(), error: error.into() };
        if self.found.contains(&mistake) {
            return;
        }
        if self.found.len() < MAX_MISTAKES { self.found.push(mistake) } else { self.more += 1 }
    }

    /// Whether no more of them are told: then no more work is put into their sentences.
    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= MAX_MISTAKES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them, in the order of the text.
    pub(super) fn in_order(mut self) -> Vec<Mistake> {
        self.found.sort();
        if self.more > 0
            && let Some(last) = self.found.last_mut()
        {
            last.error = format!("{} (and {} more mistakes)", last.error, self.more);
        }
        self.found
    }
}

/// A text whose places are looked up.
#[derive(Debug)]
pub(super) struct Source<'a> {
    text: &'a str,
    /// Where each line begins, in bytes, and each stretch of [`STRETCH_CHARS`] of a long line.
    lines: Vec<Vec<usize>>,
}

/// Characters between two marks in a long line.
const STRETCH_CHARS: usize = 256;

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut begin = 0;
        let mut lines = Vec::new();
        for line in text.split_inclusive('\n') {
            lines.push(line.char_indices().step_by(STRETCH_CHARS).map(|(at, _)| begin + at).collect());
            begin += line.len();
        }
        lines.push(vec![begin]);
        Self { text, lines }
    }

    /// The byte of a place; the end of the text for one that is not in it.
    fn byte(&self, place: Place) -> usize {
        let Some(marks) = place.line.checked_sub(1).and_then(|line| self.lines.get(line as usize)) else {
            return self.text.len();
        };
        let column = place.column.saturating_sub(1) as usize;
        let Some(mark) = marks.get(column / STRETCH_CHARS) else { return self.text.len() };
        let rest = self.text[*mark..].char_indices().nth(column % STRETCH_CHARS);
        rest.map_or(self.text.len(), |(at, _)| mark + at)
    }

    fn place(&self, byte: usize) -> Place {
        let line = self.lines.partition_point(|marks| marks[0] <= byte).saturating_sub(1);
        let marks = &self.lines[line];
        let stretch = marks.partition_point(|mark| *mark <= byte).saturating_sub(1);
        let column = stretch * STRETCH_CHARS + self.text[marks[stretch]..byte].chars().count();
        let count = |number: usize| u32::try_from(number + 1).unwrap_or(u32::MAX);
        Place { line: count(line), column: count(column) }
    }

    /// Where the expression stands that is the `nth` in the value of a scalar from `start` to `end`, given its text:
    /// the place of its first letter, or of its `${{` where the scalar is written in a way that changes letters.
    pub(super) fn spot(&self, (start, end): (Place, Place), nth: usize, expression: &str) -> Spot {
        let (from, to) = (self.byte(start), self.byte(end));
        let raw = self.text.get(from..to.max(from)).unwrap_or_default();
        let Some((at, _)) = raw.match_indices("${{").nth(nth) else {
            return Spot { place: start, exact: false };
        };
        let inside = at + "${{".len();
        if raw[inside..].starts_with(expression) {
            Spot { place: self.place(from + inside), exact: true }
        } else {
            Spot { place: self.place(from + at), exact: false }
        }
    }
}

/// Where an expression stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    place: Place,
    exact: bool,
}

impl Spot {
    pub(super) const UNKNOWN: Self = Self { place: Place { line: 0, column: 0 }, exact: false };

    /// The place of the byte `at` of the expression.
    pub(super) fn place(self, expression: &str, at: usize) -> Place {
        if !self.exact {
            return self.place;
        }
        let before = expression.get(..at).unwrap_or(expression);
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        match before.rfind('\n') {
            None => Place { column: self.place.column + count(before.chars().count()), ..self.place },
            Some(last) => Place {
                line: self.place.line + count(before.matches('\n').count()),
                column: count(before[last + 1..].chars().count()) + 1,
            },
        }
    }
}
