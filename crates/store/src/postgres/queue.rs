//! What waits to be sent: writes that nobody has asked the outcome of, in their order. What is alike and may stand together
//! travels as one statement.

use super::prepared::Shape;
use crate::backend::{Statement, Value};
use std::collections::HashSet;

/// Most writes that wait; then they are sent.
pub(crate) const MAX_WAITING_WRITES: usize = 8_192;
/// Most bytes of texts that wait; then they are sent.
pub(crate) const MAX_WAITING_BYTES: usize = 8 * 1024 * 1024;

/// How many rows a write must touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Whatever it touches.
    Any,
    /// One: the caller knows that it is there.
    One,
}

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    /// A word of the transaction itself.
    Control(Control),
    /// A write.
    Write(&'static Statement, Expect),
}

/// A word of the transaction itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    Begin,
    Commit,
    Rollback,
    /// A savepoint, by its depth from 1.
    Save(usize),
    Keep(usize),
    Undo(usize),
}

#[derive(Debug)]
struct Entry {
    what: What,
    values: usize,
    bytes: usize,
    raw: usize,
}

#[derive(Debug)]
enum Kept {
    Null,
    Int(i64),
    Real(f64),
    Text(usize, usize),
    Bytes(usize, usize),
}

/// What waits. Parameters lie in two lists of all entries together, so that an entry costs no allocation.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: Vec<Entry>,
    values: Vec<Kept>,
    bytes: String,
    raw: Vec<u8>,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= MAX_WAITING_WRITES || self.bytes.len() + self.raw.len() >= MAX_WAITING_BYTES
    }

    /// Whether something here may turn out to have touched another number of rows than it must.
    pub(crate) fn has_doubts(&self) -> bool {
        self.entries.iter().any(|entry| matches!(entry.what, What::Write(_, Expect::One)))
    }

    pub(crate) fn control(&mut self, control: Control) {
        self.push(What::Control(control), &[]);
    }

    pub(crate) fn write(&mut self, statement: &'static Statement, parameters: &[Value<'_>], expect: Expect) {
        self.push(What::Write(statement, expect), parameters);
    }

    fn push(&mut self, what: What, parameters: &[Value<'_>]) {
        let (values, bytes, raw) = (self.values.len(), self.bytes.len(), self.raw.len());
        self.entries.push(Entry { what, values, bytes, raw });
        for value in parameters {
            let kept = match *value {
                Value::Null => Kept::Null,
                Value::Int(value) => Kept::Int(value),
                Value::Real(value) => Kept::Real(value),
                Value::Text(text) => {
                    self.bytes.push_str(text);
                    Kept::Text(self.bytes.len() - text.len(), self.bytes.len())
                }
                Value::Bytes(bytes) => {
                    self.raw.extend_from_slice(bytes);
                    Kept::Bytes(self.raw.len() - bytes.len(), self.raw.len())
                }
            };
            self.values.push(kept);
        }
    }

    /// Forgets what came after the first `length` entries.
    pub(crate) fn truncate(&mut self, length: usize) {
        let Some(first) = self.entries.get(length) else { return };
        self.values.truncate(first.values);
        self.bytes.truncate(first.bytes);
        self.raw.truncate(first.raw);
        self.entries.truncate(length);
    }

    pub(crate) fn clear(&mut self) {
        self.truncate(0);
    }

    pub(crate) fn first(&self) -> Option<What> {
        self.entries.first().map(|entry| entry.what)
    }

    /// The statements of the writes.
    pub(crate) fn statements(&self) -> impl Iterator<Item = &'static Statement> {
        self.entries.iter().filter_map(|entry| match entry.what {
            What::Write(statement, _) => Some(statement),
            What::Control(_) => None,
        })
    }

    /// Puts savepoints before entries: (place, depth), in order of both.
    pub(crate) fn insert_saves(&mut self, places: &[(usize, usize)]) {
        for (at, depth) in places.iter().rev() {
            let end = (self.values.len(), self.bytes.len(), self.raw.len());
            let entry = self.entries.get(*at);
            let (values, bytes, raw) = entry.map_or(end, |entry| (entry.values, entry.bytes, entry.raw));
            let what = What::Control(Control::Save(*depth));
            self.entries.insert(*at, Entry { what, values, bytes, raw });
        }
    }

    pub(crate) fn what(&self, entry: usize) -> What {
        self.entries[entry].what
    }

    /// A parameter of an entry.
    pub(crate) fn value(&self, entry: usize, place: usize) -> Value<'_> {
        match self.values[self.entries[entry].values + place] {
            Kept::Null => Value::Null,
            Kept::Int(value) => Value::Int(value),
            Kept::Real(value) => Value::Real(value),
            Kept::Text(from, to) => Value::Text(&self.bytes[from..to]),
            Kept::Bytes(from, to) => Value::Bytes(&self.raw[from..to]),
        }
    }

    /// What goes out as one statement each, in order. `shape` tells of each write's statement.
    pub(crate) fn parts<'a>(&self, shape: impl Fn(&'static Statement) -> &'a Shape) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for entry in 0..self.len() {
            let What::Write(statement, expect) = self.what(entry) else {
                parts.push(Part::new(self.what(entry), entry));
                continue;
            };
            let own = shape(statement);
            let joined = own.many.then(|| self.place_for(&parts, (statement, expect), own, entry, &shape));
            match joined.flatten() {
                Some(place) => parts[place].join(entry, self.key(entry, own)),
                None => {
                    let mut part = Part::new(self.what(entry), entry);
                    part.keys.extend(self.key(entry, own));
                    parts.push(part);
                }
            }
        }
        parts
    }

    /// The last part of the same statement, when nothing after it touches the same tables (or only rows of other owners) and
    /// the row is not in it yet.
    fn place_for<'a>(
        &self,
        parts: &[Part],
        (statement, expect): (&'static Statement, Expect),
        own: &Shape,
        entry: usize,
        shape: &impl Fn(&'static Statement) -> &'a Shape,
    ) -> Option<usize> {
        for (place, part) in parts.iter().enumerate().rev() {
            let What::Write(other, other_expect) = part.what else { return None };
            if other.name == statement.name {
                let again = self.key(entry, own).is_some_and(|key| part.keys.contains(&key));
                return (other_expect == expect && !again).then_some(place);
            }
            let other = shape(other);
            let apart = own.family.is_some()
                && own.family == other.family
                && self.key(entry, own).is_some_and(|key| !part.keys.contains(&key));
            if !apart && other.tables.iter().any(|table| own.tables.contains(table)) {
                return None;
            }
        }
        None
    }

    /// The key of the row that an entry changes, as one number; none where it changes no row that is there. Two rows may have the same one: they are kept apart then, or
    /// in their order, which costs a statement and is never wrong.
    fn key(&self, entry: usize, shape: &Shape) -> Option<i64> {
        if !shape.one_a_row {
            return None;
        }
        (0..shape.key).try_fold(0_i64, |key, place| match self.value(entry, place) {
            Value::Int(value) => Some(key.wrapping_mul(1_000_003).wrapping_add(value)),
            _ => None,
        })
    }
}

/// One statement with the entries that it carries.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) what: What,
    pub(crate) entries: Vec<usize>,
    keys: HashSet<i64>,
}

impl Part {
    fn new(what: What, entry: usize) -> Self {
        Self { what, entries: vec![entry], keys: HashSet::new() }
    }

    fn join(&mut self, entry: usize, key: Option<i64>) {
        self.entries.push(entry);
        if !self.keys.is_empty() {
            self.keys.extend(key);
        }
    }

    /// How many rows it must touch; `None` for whatever it touches.
    pub(crate) fn must_touch(&self) -> Option<u64> {
        matches!(self.what, What::Write(_, Expect::One)).then_some(self.entries.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::sql;

    fn shape(statement: &'static Statement) -> &'static Shape {
        Box::leak(Box::new(Shape::of(statement, true)))
    }

    fn names(parts: &[Part]) -> Vec<(&'static str, usize)> {
        let name = |part: &Part| match part.what {
            What::Write(statement, _) => (statement.name, part.entries.len()),
            What::Control(_) => ("control", 1),
        };
        parts.iter().map(name).collect()
    }

    #[test]
    fn writes_of_other_tasks_may_change_places() {
        let (settle, keep) = (sql!("task/settle"), sql!("attempt/keep"));
        let mut queue = Queue::default();
        for key in [1_i64, 2, 3] {
            queue.write(settle, &[key.into()], Expect::One);
            queue.write(keep, &[key.into()], Expect::Any);
        }
        let told = names(&queue.parts(shape));
        assert_eq!(told, [("task/settle", 3), ("attempt/keep", 3)], "two statements for all three");
    }

    #[test]
    fn writes_of_the_same_task_keep_their_order() {
        let (settle, keep) = (sql!("task/settle"), sql!("attempt/keep"));
        let mut queue = Queue::default();
        for key in [1_i64, 2, 1] {
            queue.write(settle, &[key.into()], Expect::One);
            queue.write(keep, &[key.into()], Expect::Any);
        }
        let told = names(&queue.parts(shape));
        let apart = [("task/settle", 2), ("attempt/keep", 2), ("task/settle", 1), ("attempt/keep", 1)];
        assert_eq!(told, apart);
    }

    #[test]
    fn stages_of_one_run_travel_together() {
        let (save, keep) = (sql!("stage/save"), sql!("stage_attempt/keep"));
        let mut queue = Queue::default();
        for (run, stage) in [(1_i64, 1_i64), (1, 2), (2, 1)] {
            queue.write(save, &[run.into(), stage.into()], Expect::One);
            queue.write(keep, &[run.into(), stage.into()], Expect::Any);
        }
        assert_eq!(names(&queue.parts(shape)), [("stage/save", 3), ("stage_attempt/keep", 3)]);
        queue.write(save, &[1_i64.into(), 2_i64.into()], Expect::One);
        let apart = [("stage/save", 3), ("stage_attempt/keep", 3), ("stage/save", 1)];
        assert_eq!(names(&queue.parts(shape)), apart, "the same stage once more comes behind");
    }

    #[test]
    fn a_write_does_not_pass_one_of_its_own_task() {
        let (settle, keep) = (sql!("task/settle"), sql!("attempt/keep"));
        let mut queue = Queue::default();
        queue.write(settle, &[2_i64.into()], Expect::One);
        queue.write(keep, &[1_i64.into()], Expect::Any);
        queue.write(settle, &[1_i64.into()], Expect::One);
        let told = names(&queue.parts(shape));
        assert_eq!(told, [("task/settle", 1), ("attempt/keep", 1), ("task/settle", 1)]);
    }
}
