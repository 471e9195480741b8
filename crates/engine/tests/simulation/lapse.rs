//! The counter-proof: a server that misses a single step of the journal is found out, whatever kind of step it is.

use crate::check::{self, Shared};
use crate::step;
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use tiltyard_engine::journal::Page;
use tiltyard_engine::memory::Memory;

/// Steps of the world.
const STEPS: usize = 400;
/// Lapses that are tried of each kind.
const TRIES: usize = 12;

/// What the journal said, and what memory was then.
type History = Vec<(Vec<Page>, Shared)>;

async fn history(seed: u64) -> History {
    let mut world = World::new(seed).await;
    world.restarts = false;
    let mut history = Vec::new();
    for _ in 0..STEPS {
        step::take(&mut world).await;
        let seen = check::seen(&world).await;
        history.push((world.new_pages(), seen));
    }
    history
}

/// Where a step stands: the moment, the page, its place on it.
type Place = (usize, usize, usize);

/// Whether a server that reads all of it but one step is found out at the moment of the lapse.
fn is_found_out(history: &History, lapse: Option<Place>) -> bool {
    let mut memory = Memory::default();
    for (moment, (pages, seen)) in history.iter().enumerate() {
        for (number, page) in pages.iter().enumerate() {
            let mut page = page.clone();
            if let Some((_, _, place)) = lapse.filter(|(at, of, _)| (*at, *of) == (moment, number)) {
                page.steps.remove(place);
            }
            if memory.catch_up(page).is_err() {
                return true;
            }
        }
        if lapse.is_none_or(|(at, _, _)| at == moment) && !check::apart(seen, &memory).is_empty() {
            return true;
        }
        if lapse.is_some_and(|(at, _, _)| at == moment) {
            return false;
        }
    }
    false
}

/// Every place, by the kind of step that stands there.
fn places(history: &History) -> BTreeMap<String, Vec<Place>> {
    let mut places: BTreeMap<String, Vec<Place>> = BTreeMap::new();
    for (moment, (pages, _)) in history.iter().enumerate() {
        for (number, page) in pages.iter().enumerate() {
            for (place, step) in page.steps.iter().enumerate() {
                let text = format!("{step:?}");
                let kind = text.split([' ', '{', ')']).next().unwrap_or_default();
                places.entry(kind.to_owned()).or_default().push((moment, number, place));
            }
        }
    }
    places
}

// E9: without its journal, another server's memory is not the same; the check of every world would notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e9_a_single_step_that_is_missed_is_found_out() {
    let history = history(3).await;
    assert!(!is_found_out(&history, None), "nothing is missed");
    let places = places(&history);
    let kinds: BTreeSet<&str> = places.keys().map(String::as_str).collect();
    assert!(kinds.len() >= 25, "the world shows most kinds of steps: {kinds:?}");
    for (kind, places) in &places {
        let stride = places.len().div_ceil(TRIES);
        let mut tried = places.iter().step_by(stride);
        assert!(tried.any(|place| is_found_out(&history, Some(*place))), "{kind} may be missed unseen");
    }
}
