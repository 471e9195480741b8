//! When a child that ended is started again: at once the first time, then later and later, and not for ever.

use std::time::Duration;

/// Ends in a row after which it is given up.
pub const MAX_ENDS_IN_A_ROW: u32 = 8;
/// One that has run for so long has recovered: what came before no longer counts.
pub const STEADY: Duration = Duration::from_secs(60);
/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// What is done about an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is started again after this pause.
    Again(Duration),
    /// It is given up.
    GiveUp,
}

/// The ends of one child so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restarts {
    in_a_row: u32,
}

impl Restarts {
    /// What to do about a child that ended after it had run for `lived`.
    pub fn ended(&mut self, lived: Duration) -> Verdict {
        self.in_a_row = if lived >= STEADY { 1 } else { self.in_a_row + 1 };
        if self.in_a_row >= MAX_ENDS_IN_A_ROW {
            return Verdict::GiveUp;
        }
        let doubled = FIRST_PAUSE.saturating_mul(1 << (self.in_a_row - 1));
        Verdict::Again(doubled.min(MAX_PAUSE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // C4: either restarts without the other; not so quickly that it eats the machine, and not for ever.
    #[test]
    fn c4_pauses_grow_and_end() {
        let mut restarts = Restarts::default();
        let pauses: Vec<u128> = std::iter::from_fn(|| match restarts.ended(Duration::ZERO) {
            Verdict::Again(pause) => Some(pause.as_millis()),
            Verdict::GiveUp => None,
        })
        .collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1_600, 3_200, 6_400]);
    }

    #[test]
    fn c4_a_steady_run_forgives() {
        let mut restarts = Restarts::default();
        for _ in 0..1_000 {
            assert_eq!(restarts.ended(STEADY), Verdict::Again(FIRST_PAUSE));
        }
    }
}
