//! What is under way of a `foreach`: a window over its list, never the list. Ended items are numbers.

use super::Going;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// After so many failed items no more are begun: what fails for a hundred will not succeed for the rest. Those under
/// way end by themselves.
pub const MAX_FAILED_ITEMS: u32 = 100;

/// Items of all lists of a run that are under way at once; a list that finds no room goes on as others end. So one
/// cancel is [`MAX_OPEN_PARTS`] stops at most, in one transaction.
pub const MAX_OPEN_ITEMS: u32 = 1_000;

/// Parts of a run that are under way at once: its stages, and the items of its lists.
pub const MAX_OPEN_PARTS: u32 = 2_000;

const _: () = assert!(MAX_OPEN_PARTS as usize == crate::pipeline::MAX_STAGES + MAX_OPEN_ITEMS as usize);

/// The numbers of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tally {
    /// How many items there are.
    pub total: u32,
    /// The first one that has not begun.
    pub next: u32,
    /// How many are under way.
    pub open: u32,
    /// How many of these wait for somebody.
    pub waiting: u32,
    /// How many have succeeded.
    pub succeeded: u32,
    /// How many have failed or were cancelled.
    pub failed: u32,
    /// The first of these to end, by its place in the list.
    pub first_failed: Option<u32>,
}

impl Tally {
    /// Whether another item may be begun, as far as the list goes.
    pub const fn has_more(&self) -> bool {
        self.next < self.total && self.failed < MAX_FAILED_ITEMS
    }

    /// Whether all is over.
    pub const fn is_over(&self) -> bool {
        self.open == 0 && !self.has_more()
    }
}

/// An item that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Open {
    /// The how-manieth attempt, from 1 on.
    pub attempt: u32,
    /// How far it is.
    pub going: Going,
    /// Whether it rests between two attempts.
    pub rest: Rest,
}

/// Whether something of an item is to be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Rest {
    /// Something of it is under way.
    No,
    /// It waits for its next attempt.
    Backoff,
    /// It would be tried again, and its last attempt is still stopping.
    Stopping,
}

/// The part of a list that is under way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// Its numbers.
    pub tally: Tally,
    /// What is under way, by its place in the list; at most [`MAX_OPEN_ITEMS`] in all lists of a run.
    pub open: BTreeMap<u32, Open>,
}

impl Window {
    /// Counts what is under way anew.
    pub(super) fn count(&mut self) {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        self.tally.open = number(self.open.len());
        self.tally.waiting = number(self.open.values().filter(|open| open.going == Going::Waiting).count());
    }
}

/// What a step changes of a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum WindowChange {
    /// It is there, with these numbers, and these items are begun, different, or over.
    Is(Tally, Vec<(u32, Option<Open>)>),
    /// It is no more.
    Gone,
}

/// Carries out a change, and gives what takes it back.
pub(super) fn apply(windows: &mut BTreeMap<u32, Window>, index: u32, change: &WindowChange) -> WindowChange {
    match change {
        WindowChange::Gone => windows.remove(&index).map_or(WindowChange::Gone, |window| {
            let items = window.open.into_iter().map(|(item, open)| (item, Some(open)));
            WindowChange::Is(window.tally, items.collect())
        }),
        WindowChange::Is(tally, items) => {
            let known = windows.contains_key(&index);
            let window = windows.entry(index).or_default();
            let before = std::mem::replace(&mut window.tally, *tally);
            let items = items.iter().map(|(item, open)| {
                let old = match open {
                    Some(open) => window.open.insert(*item, *open),
                    None => window.open.remove(item),
                };
                (*item, old)
            });
            let items = items.collect();
            if known { WindowChange::Is(before, items) } else { WindowChange::Gone }
        }
    }
}
