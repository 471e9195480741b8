//! Memory as text, for the check that it is what the store would make of it: tests compare it with a fresh rebuild.

use super::Parts;
use std::collections::BTreeMap;

impl Parts {
    /// What is kept of the store, sorted; hints that a restart forgets are left out.
    pub fn summary(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        self.ready.summary(&mut all);
        for lease in self.leases.all() {
            let text = format!(
                "generation {} lane {} agent {} stop {:?}",
                lease.generation, lease.lane, lease.agent, lease.stop
            );
            all.insert(format!("lease {}", lease.task), text);
        }
        for (task, hash, until) in self.unique.all() {
            all.insert(format!("unique {task}"), format!("{hash} until {until:?}"));
        }
        for (task, count) in &self.awaited {
            all.insert(format!("awaited {task}"), count.to_string());
        }
        for queue in self.names.queues() {
            all.insert(format!("counts {}", queue.key), format!("{:?}", self.counts.of(queue.key)));
            all.insert(format!("queue {}", queue.key), format!("{:?}", queue.settings));
        }
        for (key, scope) in self.names.scopes() {
            all.insert(format!("scope {key}"), format!("{} at {}", scope.name, self.names.scope_seq(key)));
        }
        for (chain, head) in &self.audit {
            all.insert(format!("audit {chain}"), format!("{} {}", head.seq, head.hash));
        }
        all.insert("last seq".to_owned(), self.last_seq.to_string());
        all
    }
}
