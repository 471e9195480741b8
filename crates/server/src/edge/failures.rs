//! Failed sign-ins, counted by address (SEC18): a guesser is slowed down, a valid token from the same address is
//! not, because only a failure is ever charged.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Instant;

/// Failures that an address may have in a minute.
pub const MAX_FAILURES_PER_MINUTE: u64 = 20;

/// Addresses that are counted one by one; beyond them strangers share one count.
pub const MAX_FAILURE_ADDRESSES: usize = 10_000;

const MINUTE_MS: u64 = 60_000;
const FAILURE_MS: u64 = MINUTE_MS / MAX_FAILURES_PER_MINUTE;

/// The counts of all addresses: for each the moment when its bucket is full again, in milliseconds since `begin`.
#[derive(Debug)]
pub struct Failures {
    begin: Instant,
    full_at_ms: Mutex<HashMap<IpAddr, u64>>,
}

impl Failures {
    /// None yet. `begin` is no later than any moment that follows.
    pub fn new(begin: Instant) -> Self {
        Self { begin, full_at_ms: Mutex::default() }
    }

    /// Counts a failure of `address`.
    ///
    /// # Errors
    /// How many milliseconds to wait, when the address has had its share; then nothing is counted.
    pub fn charge(&self, address: IpAddr, now: Instant) -> Result<(), i64> {
        let now_ms = u64::try_from(now.saturating_duration_since(self.begin).as_millis()).unwrap_or(u64::MAX);
        let mut all = self.full_at_ms.lock();
        let mut key = bucket_of(address);
        if all.len() >= MAX_FAILURE_ADDRESSES && !all.contains_key(&key) {
            all.retain(|_, full_at_ms| *full_at_ms > now_ms);
            if all.len() >= MAX_FAILURE_ADDRESSES {
                key = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
            }
        }
        let full_at_ms = all.entry(key).or_insert(now_ms);
        let next_ms = (*full_at_ms).max(now_ms) + FAILURE_MS;
        if next_ms > now_ms + MINUTE_MS {
            return Err(i64::try_from(next_ms - now_ms - MINUTE_MS).unwrap_or(i64::MAX));
        }
        *full_at_ms = next_ms;
        Ok(())
    }
}

/// One customer's share of IPv6 is a /64, whatever the rest of the address says.
fn bucket_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn sec18_twenty_failures_a_minute_and_no_more() {
        let begin = Instant::now();
        let (failures, guesser) = (Failures::new(begin), address("203.0.113.9"));
        for _ in 0..20 {
            assert_eq!(failures.charge(guesser, begin), Ok(()));
        }
        assert_eq!(failures.charge(guesser, begin), Err(3_000));
        assert_eq!(failures.charge(address("203.0.113.10"), begin), Ok(()), "another address is not charged");
        let after = |ms| begin + Duration::from_millis(ms);
        assert_eq!(failures.charge(guesser, after(2_000)), Err(1_000));
        assert_eq!(failures.charge(guesser, after(3_000)), Ok(()));
        let hour = (0..40).filter(|_| failures.charge(guesser, after(3_600_000)).is_ok()).count();
        assert_eq!(hour, 20, "a quiet hour gives no more than a minute's worth");
    }

    #[test]
    fn sec18_one_network_of_ipv6_is_one_address() {
        let begin = Instant::now();
        let failures = Failures::new(begin);
        let guess = |last: usize| failures.charge(address(&format!("2001:db8::{last:x}")), begin).is_ok();
        assert_eq!((1..=100).filter(|last| guess(*last)).count(), 20);
        assert!(failures.charge(address("2001:db8:0:1::1"), begin).is_ok());
        assert!(failures.charge(address("::ffff:203.0.113.9"), begin).is_ok());
    }

    #[test]
    fn sec18_a_flood_of_addresses_takes_no_more_memory() {
        let begin = Instant::now();
        let failures = Failures::new(begin);
        let taken = (0..20_000_u32).filter(|low| {
            let v4 = std::net::Ipv4Addr::from_bits(0x0A00_0000 + low);
            failures.charge(IpAddr::V4(v4), begin).is_ok()
        });
        assert_eq!(taken.count(), MAX_FAILURE_ADDRESSES + 20);
        assert!(failures.full_at_ms.lock().len() <= MAX_FAILURE_ADDRESSES + 1);
        let later = begin + Duration::from_secs(10);
        assert!(failures.charge(address("203.0.113.9"), later).is_ok());
        assert!(failures.full_at_ms.lock().len() < 10, "who is quiet is forgotten");
    }
}
