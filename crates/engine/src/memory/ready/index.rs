//! The heads of the lanes that nothing blocks, by who may take them: an asker looks only at what it could take, however
//! much is for others.

use super::{Place, Want};
use std::collections::{BTreeSet, HashMap};
use std::iter::once;
use tiltyard_model::lane::Lane;

/// The first place of a lane, and the lane's key.
pub(super) type Head = (Place, i64);

/// Heads of one queue: for anyone, and for the agents that lanes name.
#[derive(Debug, Default)]
pub(super) struct Open {
    anyone: Node,
    named: HashMap<String, Node>,
}

/// Heads of lanes that need the same capabilities, and the way to those that need one more: a tree of capabilities, in
/// which an asker goes down only along its own.
#[derive(Debug, Default)]
struct Node {
    all: BTreeSet<Head>,
    kinds: HashMap<String, BTreeSet<Head>>,
    kindless: BTreeSet<Head>,
    beyond: HashMap<String, Node>,
}

impl Open {
    /// A lane's head is another: `None` before for one that was blocked or empty, and now for one that is.
    pub(super) fn replace(&mut self, lane: &Lane, before: Option<Head>, now: Option<Head>) {
        let start = match &lane.assign_to {
            None => &mut self.anyone,
            Some(agent) => entry(&mut self.named, agent),
        };
        let node = lane.capabilities.iter().fold(start, |node, more| entry(&mut node.beyond, more));
        node.replace(lane.kind.as_deref(), before, now);
        if now.is_none() {
            self.prune(lane);
        }
    }

    fn prune(&mut self, lane: &Lane) {
        match &lane.assign_to {
            None => drop(self.anyone.prune(&lane.capabilities)),
            Some(agent) => prune(&mut self.named, agent, &lane.capabilities),
        }
    }

    /// The first head that an asker could take.
    pub(super) fn first(&self, want: &Want) -> Option<Head> {
        let nodes = once(&self.anyone).chain(self.named.get(&want.agent));
        nodes.filter_map(|node| node.first(&want.capabilities, want.kinds.as_deref())).min()
    }

    /// Whether there is none for anybody.
    pub(super) fn is_empty(&self) -> bool {
        self.named.is_empty() && self.anyone.is_empty()
    }
}

impl Node {
    fn replace(&mut self, kind: Option<&str>, before: Option<Head>, now: Option<Head>) {
        swap(&mut self.all, before, now);
        let Some(kind) = kind else { return swap(&mut self.kindless, before, now) };
        let heads = entry(&mut self.kinds, kind);
        swap(heads, before, now);
        if heads.is_empty() {
            self.kinds.remove(kind);
        }
    }

    /// Drops what is empty on the way along these capabilities; says whether this is.
    fn prune(&mut self, way: &[String]) -> bool {
        if let Some((next, rest)) = way.split_first() {
            prune(&mut self.beyond, next, rest);
        }
        self.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.all.is_empty() && self.beyond.is_empty()
    }

    fn first(&self, capabilities: &[String], kinds: Option<&[String]>) -> Option<Head> {
        let own = match kinds {
            None => self.all.first(),
            Some(kinds) => {
                let sets = kinds.iter().filter_map(|kind| self.kinds.get(kind)).chain(once(&self.kindless));
                sets.filter_map(BTreeSet::first).min()
            }
        };
        let mut first = own.copied();
        let mut look = |node: &Self| first = first.into_iter().chain(node.first(capabilities, kinds)).min();
        if self.beyond.len() < capabilities.len() {
            self.beyond
                .iter()
                .filter(|(more, _)| capabilities.contains(more))
                .for_each(|(_, node)| look(node));
        } else {
            capabilities.iter().filter_map(|more| self.beyond.get(more)).for_each(look);
        }
        first
    }
}

fn prune(nodes: &mut HashMap<String, Node>, name: &str, way: &[String]) {
    if nodes.get_mut(name).is_some_and(|node| node.prune(way)) {
        nodes.remove(name);
    }
}

fn swap(heads: &mut BTreeSet<Head>, before: Option<Head>, now: Option<Head>) {
    if let Some(before) = before {
        heads.remove(&before);
    }
    heads.extend(now);
}

/// The entry of a name, made when there is none; the name is copied only then.
pub(super) fn entry<'a, T: Default>(map: &'a mut HashMap<String, T>, name: &str) -> &'a mut T {
    if !map.contains_key(name) {
        map.insert(name.to_owned(), T::default());
    }
    map.get_mut(name).expect("it was put there")
}
