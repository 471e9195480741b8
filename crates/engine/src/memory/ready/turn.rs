//! Whose turn it is (D6): scopes take turns, and the queues of a scope take turns. Only queues that could start
//! something stand in line, in the order in which they were last served.

use super::Want;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Who stands in line, and where.
#[derive(Debug, Default)]
pub(super) struct Rota {
    served: u64,
    queues: HashMap<i64, Member>,
    scopes: HashMap<i64, Group>,
    order: BTreeSet<(u64, i64)>,
}

#[derive(Debug)]
struct Member {
    scope: i64,
    name: Arc<str>,
    turn: u64,
    stands: bool,
}

#[derive(Debug)]
struct Group {
    name: Arc<str>,
    turn: u64,
    names: HashMap<Arc<str>, i64>,
    order: BTreeSet<(u64, i64)>,
}

impl Rota {
    /// Knows the name of a scope whose queues may be known already: one that comes back.
    pub(super) fn know_scope(&mut self, scope: i64, name: &str) {
        if let Some(group) = self.scopes.get_mut(&scope).filter(|group| &*group.name != name) {
            group.name = name.into();
        }
    }

    /// Knows a queue; a new one comes behind those that are there.
    pub(super) fn know(&mut self, queue: i64, scope: (i64, &str), name: &Arc<str>) {
        if self.queues.contains_key(&queue) {
            return;
        }
        self.served += 1;
        let turn = self.served;
        let (scope, scope_name) = scope;
        let fresh = || Group { name: scope_name.into(), turn, names: HashMap::new(), order: BTreeSet::new() };
        self.scopes.entry(scope).or_insert_with(fresh).names.insert(Arc::clone(name), queue);
        self.queues.insert(queue, Member { scope, name: Arc::clone(name), turn, stands: false });
    }

    /// Forgets a queue.
    pub(super) fn forget(&mut self, queue: i64) {
        self.stand(queue, false);
        let Some(member) = self.queues.remove(&queue) else { return };
        let Some(group) = self.scopes.get_mut(&member.scope) else { return };
        group.names.remove(&member.name);
        if group.names.is_empty() {
            self.scopes.remove(&member.scope);
        }
    }

    /// A queue stands in line, or not; says whether it has come into it.
    pub(super) fn stand(&mut self, queue: i64, stands: bool) -> bool {
        let Some(member) = self.queues.get_mut(&queue).filter(|member| member.stands != stands) else {
            return false;
        };
        let Some(group) = self.scopes.get_mut(&member.scope) else { return false };
        member.stands = stands;
        if stands {
            group.order.insert((member.turn, queue));
            self.order.insert((group.turn, member.scope));
        } else {
            group.order.remove(&(member.turn, queue));
            if group.order.is_empty() {
                self.order.remove(&(group.turn, member.scope));
            }
        }
        stands
    }

    /// A queue was served: it and its scope go behind all others.
    pub(super) fn serve(&mut self, queue: i64) {
        let stood = self.queues.get(&queue).is_some_and(|member| member.stands);
        self.stand(queue, false);
        let Some(member) = self.queues.get_mut(&queue) else { return };
        let Some(group) = self.scopes.get_mut(&member.scope) else { return };
        self.served += 1;
        let in_line = self.order.remove(&(group.turn, member.scope));
        (member.turn, group.turn) = (self.served, self.served);
        if in_line {
            self.order.insert((group.turn, member.scope));
        }
        self.stand(queue, stood);
    }

    /// The first, in turn, of the queues meant by `want` for which `found` gives something.
    pub(super) fn find<T>(&self, want: &Want, mut found: impl FnMut(i64) -> Option<T>) -> Option<T> {
        let groups = self.order.iter().filter_map(|(_, scope)| self.scopes.get(scope));
        groups.filter(|group| want.reach.covers(&group.name)).find_map(|group| {
            if want.queues.is_empty() {
                let meant = group.order.iter().filter(|(_, queue)| self.is_meant(*queue, want));
                meant.map(|(_, queue)| *queue).find_map(&mut found)
            } else {
                self.named(group, want).into_iter().find_map(|(_, queue)| found(queue))
            }
        })
    }

    fn is_meant(&self, queue: i64, want: &Want) -> bool {
        self.names(queue).is_some_and(|(scope, name)| want.names(scope, name))
    }

    /// The queues in line that are named by `want`, in turn; those that it does not name are not looked at.
    fn named(&self, group: &Group, want: &Want) -> BTreeSet<(u64, i64)> {
        let keys = want.queues.iter().filter_map(|name| group.names.get(name.as_str()));
        let members = keys.filter_map(|key| Some((key, self.queues.get(key).filter(|known| known.stands)?)));
        let allowed = members.filter(|(_, known)| want.names(&group.name, &known.name));
        allowed.map(|(key, known)| (known.turn, *key)).collect()
    }

    /// The names of a queue: its scope's and its own.
    pub(super) fn names(&self, queue: i64) -> Option<(&Arc<str>, &Arc<str>)> {
        let member = self.queues.get(&queue)?;
        Some((&self.scopes.get(&member.scope)?.name, &member.name))
    }

    /// The queues that stand in line.
    pub(super) fn in_line(&self) -> impl Iterator<Item = i64> {
        let groups = self.order.iter().filter_map(|(_, scope)| self.scopes.get(scope));
        groups.flat_map(|group| group.order.iter().map(|(_, queue)| *queue))
    }

    /// Whether a queue stands in line.
    pub(super) fn stands(&self, queue: i64) -> bool {
        self.queues.get(&queue).is_some_and(|member| member.stands)
    }
}
