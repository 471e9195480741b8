//! Places for connections (SEC13): so many in all, so many an address, and the count of those still open.

use crate::edge::proxy::Network;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use tiltyard_model::refusal::{Code, Refusal};
use tokio::sync::Notify;

/// Connections in all, where the settings do not say otherwise.
pub const MAX_CONNECTIONS: usize = 12_000;

/// Connections of one address outside loopback, where the settings do not say otherwise.
pub const MAX_CONNECTIONS_PER_ADDRESS: usize = 256;

/// All places of a server.
#[derive(Debug, Clone)]
pub struct Slots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    max_total: usize,
    max_per_address: usize,
    proxies: Vec<Network>,
    taken: Mutex<Taken>,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The place of one connection; free again when it is dropped.
#[derive(Debug)]
pub struct Slot {
    shared: Arc<Shared>,
    counted: Option<IpAddr>,
}

impl Slots {
    /// Places for `max_total` connections. A named proxy speaks for many: only the total holds for it.
    pub fn new(max_total: usize, max_per_address: usize, proxies: Vec<Network>) -> Self {
        let (taken, emptied) = Default::default();
        Self(Arc::new(Shared { max_total, max_per_address, proxies, taken, emptied }))
    }

    /// A place for a connection from `peer`.
    ///
    /// # Errors
    /// 503 `too_many_connections`, and why.
    pub fn take(&self, peer: IpAddr) -> Result<Slot, Refusal> {
        let peer = peer.to_canonical();
        let exempt = peer.is_loopback() || self.0.proxies.iter().any(|proxy| proxy.holds(peer));
        let mut taken = self.0.taken.lock();
        if taken.total >= self.0.max_total {
            return Err(full("the server has as many connections as it takes"));
        }
        let counted = (!exempt).then_some(peer);
        if let Some(address) = counted {
            let own = taken.by_address.entry(address).or_default();
            if *own >= self.0.max_per_address {
                return Err(full("your address has as many connections as one may have"));
            }
            *own += 1;
        }
        taken.total += 1;
        Ok(Slot { shared: Arc::clone(&self.0), counted })
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.0.taken.lock().total
    }

    /// Waits until none is taken.
    pub async fn emptied(&self) {
        loop {
            let emptied = self.0.emptied.notified();
            if self.taken() == 0 {
                return;
            }
            emptied.await;
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.shared.taken.lock();
        taken.total -= 1;
        if let Some(address) = self.counted
            && let Some(own) = taken.by_address.get_mut(&address)
        {
            *own -= 1;
            if *own == 0 {
                taken.by_address.remove(&address);
            }
        }
        if taken.total == 0 {
            self.shared.emptied.notify_waiters();
        }
    }
}

fn full(why: &str) -> Refusal {
    Refusal::new(Code::TooManyConnections, format!("{why}; close some, or try again shortly"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(slots: &Slots, peer: &str) -> Option<Slot> {
        slots.take(peer.parse().unwrap()).ok()
    }

    #[test]
    fn sec13_one_address_cannot_take_all() {
        let slots = Slots::new(5, 2, vec!["10.0.0.0/8".parse().unwrap()]);
        let held: Vec<_> = (0..3).map(|_| take(&slots, "203.0.113.9")).collect();
        assert!(held[1].is_some() && held[2].is_none());
        assert!(take(&slots, "::ffff:203.0.113.9").is_none(), "the same address written otherwise");
        let proxied: Vec<_> = (0..3).map_while(|_| take(&slots, "10.0.0.7")).collect();
        assert_eq!((proxied.len(), slots.taken()), (3, 5));
        assert!(take(&slots, "127.0.0.1").is_none(), "the total holds for all");
        drop(held);
        let own: Vec<_> = (0..3).map_while(|_| take(&slots, "127.0.0.1")).collect();
        assert_eq!(own.len(), 2);
        drop((own, proxied));
        assert!(slots.0.taken.lock().by_address.is_empty());
    }

    #[tokio::test]
    async fn the_last_one_wakes_who_waits() {
        let slots = Slots::new(2, 2, Vec::new());
        let held = take(&slots, "127.0.0.1");
        let waiter = tokio::spawn({
            let slots = slots.clone();
            async move { slots.emptied().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        drop(held);
        waiter.await.unwrap();
    }
}
