//! Says that a log has grown to whoever follows it.

use crate::route::task::log::Place;
use parking_lot::Mutex;
use std::collections::HashMap;
use tokio::sync::watch;

/// The logs that are followed. There are never more than followers, by a handful that have just gone.
#[derive(Debug, Default)]
pub(crate) struct Growth {
    followed: Mutex<HashMap<Place, watch::Sender<u64>>>,
}

impl Growth {
    /// Hears of every addition to a log from now on.
    pub(crate) fn watch(&self, place: Place) -> watch::Receiver<u64> {
        let mut followed = self.followed.lock();
        if followed.len() == followed.capacity() {
            followed.retain(|_, log| log.receiver_count() > 0);
        }
        followed.entry(place).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    /// A log has so many bytes now.
    pub(crate) fn tell(&self, place: Place, bytes: u64) {
        let mut followed = self.followed.lock();
        if let Some(log) = followed.get(&place)
            && log.send(bytes).is_err()
        {
            followed.remove(&place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(task: i64) -> Place {
        Place { task, generation: 1 }
    }

    #[test]
    fn followers_hear_of_their_own_log_and_are_forgotten() {
        let growth = Growth::default();
        let (mut own, other) = (growth.watch(place(1)), growth.watch(place(2)));
        growth.tell(place(1), 7);
        assert_eq!((own.has_changed().unwrap(), *own.borrow_and_update()), (true, 7));
        assert!(!other.has_changed().unwrap());
        drop((own, other));
        growth.tell(place(1), 8);
        assert_eq!(growth.followed.lock().len(), 1, "nobody follows it");
        for task in 0..10_000 {
            drop(growth.watch(place(task)));
        }
        assert!(growth.followed.lock().capacity() < 1_000, "those that have gone make room");
    }
}
