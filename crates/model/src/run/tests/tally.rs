//! Lists told by what was begun and what became of it, beside the numbers that steps keep.

use super::*;

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    NotBegun,
    /// This attempt at it.
    Open(u32),
    Succeeded,
    Failed,
    /// Told to stop with its stage.
    Dropped,
}

/// The items of each list, from outcomes that were taken and from what was begun.
#[derive(Debug, Default)]
pub(super) struct Items {
    lists: BTreeMap<u32, Vec<Item>>,
}

impl Items {
    /// Takes what has happened, and compares.
    pub(super) fn hear(&mut self, graph: &Graph, run: &Run, outcome: Outcome, taken: &Step) {
        self.outcome(graph, outcome);
        for effect in &taken.effects {
            if let Effect::Start(Part { stage, item: Some(item), .. }) = effect {
                self.lists.get_mut(stage).unwrap()[item.index as usize] = Item::Open(item.attempt);
            }
        }
        self.lists.retain(|stage, _| run.window(*stage).is_some());
        assert_eq!(self.lists.len(), run.windows.len());
        for (stage, items) in &mut self.lists {
            if !run.stage(*stage).state.is_active() {
                items
                    .iter_mut()
                    .filter(|item| matches!(item, Item::Open(_)))
                    .for_each(|item| *item = Item::Dropped);
            }
            compare(items, run.window(*stage).unwrap());
        }
    }

    fn outcome(&mut self, graph: &Graph, outcome: Outcome) {
        let (part, to) = match outcome {
            Outcome::Listed(part, total) => {
                self.lists.insert(part.stage, vec![Item::NotBegun; total as usize]);
                return;
            }
            Outcome::Succeeded(part) => (part, Item::Succeeded),
            Outcome::Failed(part, _, again) => {
                let tried = part.item.map_or(0, |item| item.attempt);
                let more = again == Again::May && tried < graph.node(part.stage).attempts;
                (part, if more { Item::Open(tried) } else { Item::Failed })
            }
            Outcome::Cancelled(part) | Outcome::Rejected(part, _) => (part, Item::Failed),
            _ => return,
        };
        if let Some(item) = part.item {
            let items = self.lists.get_mut(&part.stage).unwrap();
            assert_eq!(items[item.index as usize], Item::Open(item.attempt), "{outcome:?}");
            items[item.index as usize] = to;
        }
    }
}

fn compare(items: &[Item], window: &window::Window) {
    let count =
        |wanted: fn(&Item) -> bool| u32::try_from(items.iter().filter(|item| wanted(item)).count()).unwrap();
    let tally = window.tally;
    assert_eq!(tally.total as usize, items.len());
    assert_eq!(tally.next, count(|item| *item != Item::NotBegun), "begun in order: {items:?}");
    assert_eq!(tally.succeeded, count(|item| *item == Item::Succeeded), "{items:?}");
    assert_eq!(tally.failed, count(|item| *item == Item::Failed), "{items:?}");
    assert_eq!(tally.open, count(|item| matches!(item, Item::Open(_))), "{items:?}");
    assert_eq!(tally.open as usize, window.open.len());
    for (index, open) in &window.open {
        assert_eq!(items[*index as usize], Item::Open(open.attempt));
    }
    assert_eq!(
        tally.waiting as usize,
        window.open.values().filter(|open| open.going == Going::Waiting).count()
    );
    let failed = tally.first_failed.map(|first| items[first as usize]);
    assert_eq!(failed, (tally.failed > 0).then_some(Item::Failed));
}
