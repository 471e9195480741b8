//! Seats: who is connected under which name, and what the door wants each of them to be told.

use crate::live::session::Close;
use std::sync::{Arc, OnceLock};
use tiltyard_model::id::Id;
use tokio::sync::mpsc;

/// Orders that may wait for one agent's socket. One that does not fit is not lost: the agent hears of it by the
/// answer to its next renewal.
const MAX_WAITING_ORDERS: usize = 1_024;

/// What an agent's socket is to pass on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Order {
    /// Stop an attempt.
    Cancel {
        /// The task.
        task: Id,
        /// The generation.
        generation: i64,
        /// Why.
        reason: String,
    },
    /// Take nothing new, or take work again.
    Drain(bool),
}

/// A place in the registry. When it is taken away, the orders end.
pub(crate) struct Seat {
    /// The number of the connection: a newer one has a greater one.
    pub(crate) number: u64,
    /// What the door says; ends when the seat is gone.
    pub(crate) orders: mpsc::Receiver<Order>,
    why: Arc<OnceLock<Close>>,
}

impl Seat {
    /// Why the seat is gone.
    pub(crate) fn why(&self) -> Close {
        self.why.get().cloned().unwrap_or_else(Close::superseded)
    }
}

/// The registry's end of a seat.
struct Link {
    number: u64,
    orders: mpsc::Sender<Order>,
    why: Arc<OnceLock<Close>>,
}

/// The connections of one agent: the one that has its seat, and those that said hello and wait for the answer.
#[derive(Default)]
pub(super) struct Links {
    seated: Option<Link>,
    coming: Vec<Link>,
}

impl Links {
    /// Somebody has come. It hears orders from now on, and nobody is sent away for it before it is let in.
    pub(super) fn come(&mut self, number: u64) -> Seat {
        let (sender, orders) = mpsc::channel(MAX_WAITING_ORDERS);
        let why = Arc::new(OnceLock::new());
        self.coming.push(Link { number, orders: sender, why: Arc::clone(&why) });
        Seat { number, orders, why }
    }

    /// Lets somebody who has come take the seat, unless somebody newer has it.
    pub(super) fn sit(&mut self, number: u64) {
        let Some(place) = self.coming.iter().position(|link| link.number == number) else { return };
        let link = self.coming.remove(place);
        if self.seated.as_ref().is_none_or(|seated| seated.number < number) {
            self.seated = Some(link);
        }
    }

    /// Whoever came before the connection of this number is superseded, wherever that one is.
    pub(super) fn outlive(&mut self, number: u64) {
        self.coming.retain(|link| link.number >= number);
        self.seated = self.seated.take().filter(|link| link.number >= number);
    }

    /// Somebody goes.
    pub(super) fn leave(&mut self, number: u64) {
        self.coming.retain(|link| link.number != number);
        self.seated = self.seated.take().filter(|link| link.number != number);
    }

    /// Sends everybody away for this reason.
    pub(super) fn send_away(&mut self, why: &Close) {
        for link in self.seated.take().into_iter().chain(self.coming.drain(..)) {
            // Nobody else gives a reason.
            let _ = link.why.set(why.clone());
        }
    }

    /// Whether somebody has the seat.
    pub(super) fn is_taken(&self) -> bool {
        self.seated.is_some()
    }

    /// Whether nobody is there.
    pub(super) fn is_empty(&self) -> bool {
        self.seated.is_none() && self.coming.is_empty()
    }

    /// Passes an order on to all who are there; false when somebody did not get it.
    pub(super) fn tell(&self, order: &Order) -> bool {
        let all = self.seated.iter().chain(&self.coming);
        all.filter(|link| link.orders.try_send(order.clone()).is_err()).count() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // API23: who is sent away hears why; who is followed by somebody newer is superseded, and by nobody older.
    #[test]
    fn api23_a_seat_says_why_it_is_gone() {
        let mut links = Links::default();
        let (mut first, mut second, mut late) = (links.come(2), links.come(3), links.come(1));
        links.sit(2);
        assert!(links.tell(&Order::Drain(true)), "who comes hears it too");
        assert_eq!(first.orders.try_recv(), Ok(Order::Drain(true)));
        assert_eq!(second.orders.try_recv(), Ok(Order::Drain(true)));
        links.sit(3);
        assert!(first.orders.is_closed(), "somebody newer has its seat");
        assert_eq!(first.why().code, 4409);
        links.sit(1);
        assert_eq!(late.orders.try_recv(), Ok(Order::Drain(true)));
        assert!(late.orders.is_closed() && !second.orders.is_closed(), "it came too late");
        links.send_away(&Close::new(Close::LATER, "connect again"));
        assert!(second.orders.is_closed() && links.is_empty());
        assert_eq!(second.why().code, 1013);
    }

    // D3, decision 5: whoever connects on another server supersedes whoever came before, and nobody who came later.
    #[test]
    fn d3_a_connection_elsewhere_supersedes_older_ones_only() {
        let mut links = Links::default();
        let (old, young) = (links.come(10), links.come(30));
        links.sit(10);
        links.outlive(20);
        assert!(!links.is_taken() && old.orders.is_closed(), "the older one hears that it is over");
        links.sit(30);
        links.outlive(30);
        assert!(links.is_taken() && !young.orders.is_closed());
    }
}
