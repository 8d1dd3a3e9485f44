//! What one slot of the shared data holds: the arrivals of a few callers.
//!
//! A caller always has the same slot. One who has used nothing leaves it; where it is full all the same, the one who is
//! closest to that leaves, and begins anew. Whoever is at their limit stays.

use std::time::Duration;

use super::rate::{Arrival, SKEW, saturated_nanos};
use crate::time::UnixTime;

/// The callers of one slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket(Vec<Entry>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// A hash of who it is.
    caller: u64,
    arrival: Arrival,
    /// How far away the arrival can be, in seconds.
    horizon: u32,
}

impl Bucket {
    /// Reads a slot. One that cannot be read holds nobody.
    pub fn decode(bytes: &[u8]) -> Self {
        let (entries, rest) = bytes.as_chunks::<ENTRY>();
        if !rest.is_empty() || entries.len() > WAYS {
            return Self::default();
        }
        Self(entries.iter().filter_map(Entry::decode).collect())
    }

    /// The bytes of the slot.
    pub fn encode(&self) -> Vec<u8> {
        self.0.iter().flat_map(Entry::encode).collect()
    }

    /// A caller's arrival.
    pub fn arrival(&self, caller: u64) -> Option<Arrival> {
        self.0.iter().find(|entry| entry.caller == caller).map(|entry| entry.arrival)
    }

    /// Sets a caller's arrival, which is at most `horizon` away.
    pub fn set(&mut self, caller: u64, arrival: Arrival, horizon: Duration, now: UnixTime) {
        self.0.retain(|entry| entry.caller != caller && entry.says_something(now));
        if self.0.len() >= WAYS
            && let Some((idlest, _)) = self.0.iter().enumerate().min_by_key(|(_, entry)| entry.arrival)
        {
            self.0.swap_remove(idlest);
        }
        let horizon = u32::try_from(horizon.as_secs().saturating_add(1)).unwrap_or(u32::MAX);
        self.0.push(Entry { caller, arrival, horizon });
    }
}

impl Entry {
    fn decode(bytes: &[u8; ENTRY]) -> Option<Self> {
        let (caller, rest) = bytes.split_first_chunk()?;
        let (nanos, rest) = rest.split_first_chunk()?;
        let (parts, rest) = rest.split_first_chunk()?;
        let arrival = Arrival { nanos: u64::from_le_bytes(*nanos), parts: u32::from_le_bytes(*parts) };
        Some(Self { caller: u64::from_le_bytes(*caller), arrival, horizon: u32::from_le_bytes(rest.try_into().ok()?) })
    }

    fn encode(&self) -> impl Iterator<Item = u8> + use<> {
        let caller = self.caller.to_le_bytes().into_iter().chain(self.arrival.nanos.to_le_bytes());
        caller.chain(self.arrival.parts.to_le_bytes()).chain(self.horizon.to_le_bytes())
    }

    /// Whether the caller has used something, and the clock has not been set back since.
    fn says_something(&self, now: UnixTime) -> bool {
        let furthest = now.saturating_add(Duration::from_secs(self.horizon.into())).saturating_add(SKEW);
        (saturated_nanos(now.since_epoch())..=saturated_nanos(furthest.since_epoch())).contains(&self.arrival.nanos)
    }
}

/// How many callers a slot holds.
pub const WAYS: usize = 8;

const ENTRY: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    const NOW: UnixTime = UnixTime::from_secs(1000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn at(second: u64) -> Arrival {
        Arrival { nanos: second * 1_000_000_000, parts: 7 }
    }

    test!(what_is_written_is_read, {
        let mut bucket = Bucket::default();
        assert_eq!(Bucket::decode(&bucket.encode()), bucket);
        bucket.set(1, at(1010), MINUTE, NOW);
        bucket.set(u64::MAX, at(1020), Duration::MAX, NOW);
        assert_eq!(bucket.encode().len(), 2 * ENTRY);
        assert_eq!(Bucket::decode(&bucket.encode()), bucket);
        assert_eq!((bucket.arrival(1), bucket.arrival(2)), (Some(at(1010)), None));
        bucket.set(1, at(1030), MINUTE, NOW);
        assert_eq!((bucket.arrival(1), bucket.0.len()), (Some(at(1030)), 2));
    });

    test!(garbage_holds_nobody, {
        for length in [1, ENTRY - 1, ENTRY + 1, ENTRY * (WAYS + 1)] {
            assert_eq!(Bucket::decode(&vec![0xff; length]), Bucket::default());
        }
        assert_eq!(
            Bucket::decode(&[0xff; ENTRY]).arrival(u64::MAX),
            Some(Arrival { nanos: u64::MAX, parts: u32::MAX })
        );
    });

    test!(the_idlest_makes_room, {
        let mut bucket = Bucket::default();
        for caller in 0..70 {
            bucket.set(caller, at(1050 - caller % 10), MINUTE, NOW);
            assert!(bucket.0.len() <= WAYS && bucket.arrival(caller).is_some());
        }
        // Whoever has used most is there yet.
        assert_eq!(bucket.arrival(0), Some(at(1050)));
    });

    test!(who_has_used_nothing_makes_room_first, {
        let mut bucket = Bucket::default();
        for caller in 0..8 {
            bucket.set(caller, at(1001 + caller), MINUTE, NOW);
        }
        bucket.set(8, at(1060), MINUTE, UnixTime::from_secs(1005));
        assert_eq!(bucket.0.iter().map(|entry| entry.caller).collect::<Vec<_>>(), [4, 5, 6, 7, 8]);
        // After the clock was set back, those of its future do as well.
        bucket.set(9, at(10), MINUTE, UnixTime::from_secs(5));
        assert_eq!(bucket.0.iter().map(|entry| entry.caller).collect::<Vec<_>>(), [9]);
    });
}
