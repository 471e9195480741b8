//! Memory as text, for the check that it is what the store would make of it, and what another server has made of its
//! steps: tests compare it with a fresh rebuild and with a memory that has only read the journal.

use super::Parts;
use std::collections::BTreeMap;

impl Parts {
    /// What is kept of the store, sorted; what a restart forgets or sets anew is left out.
    pub fn summary(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        self.names.summary(&mut all);
        self.ready.summary(&mut all);
        self.letters.summary(&mut all);
        self.tokens.summary(&mut all);
        self.runs.summary(&mut all);
        for lease in self.leases.all() {
            // A stop ends no attempt any more: what was used before does not count.
            let used = lease.stop.is_none().then_some(lease.used);
            let text = format!(
                "generation {} lane {} agent {} instance {:?} claim {:?} length {} used {:?} {:?} stop {:?}",
                lease.generation,
                lease.lane,
                lease.agent,
                lease.instance,
                lease.claim,
                lease.lease_ms,
                used,
                lease.sort,
                lease.stop
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
        }
        for (chain, head) in &self.audit {
            all.insert(format!("audit {chain}"), format!("{} {}", head.seq, head.hash));
        }
        all.insert("last seq".to_owned(), self.last_seq.to_string());
        all
    }

    /// What every server's memory says alike: the same, and what no row tells, but the journal does. When agents were
    /// heard is told only now and then, so it is left out; see [`Parts::presence`].
    pub fn shared_summary(&self) -> BTreeMap<String, String> {
        let mut all = self.summary();
        for lease in self.leases.all() {
            let text = format!("expires {} times out {}", lease.expires, lease.times_out);
            all.insert(format!("lease {} on the clock", lease.task), text);
        }
        self.ready.rates().summary(&mut all);
        self.tokens.shared_summary(&mut all);
        self.processes.summary(&mut all);
        for (agent, link) in &self.connections {
            all.insert(format!("connection {agent}"), format!("{link:?}"));
        }
        for (agent, reach) in &self.served {
            all.insert(format!("served {agent}"), format!("{reach:?}"));
        }
        for agent in &self.online {
            all.insert(format!("online {agent}"), String::new());
        }
        all.insert("last key".to_owned(), self.last_key.to_string());
        all
    }
}
