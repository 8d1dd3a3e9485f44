//! What the workers of a proxy share about one key set: a slot small enough to be read on every tick.

use std::time::Duration;

use super::schedule::{LONGEST_WAIT, Timings};
use crate::time::UnixTime;

/// The state of a key set's fetches. Times are Unix time in milliseconds; 0 is never.
///
/// The clock is the machine's and may be set: a time that lies further ahead than it ever could is not believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Which key set is in the other slot; 0 where there is none. It grows when the set changes.
    pub generation: u64,
    /// When a fetch last succeeded.
    pub fetched: u64,
    /// When to fetch next.
    pub next: u64,
    /// How many fetches have failed since one succeeded.
    pub failures: u64,
    /// When an unknown key id last caused a fetch.
    pub unknown: u64,
    /// Who fetches.
    pub holder: u64,
    /// Until when nobody else does.
    pub lease: u64,
}

impl Status {
    /// Whether the keys may be used.
    pub fn is_usable(&self, now: UnixTime, timings: &Timings) -> bool {
        self.generation > 0 && millis(now) < self.fetched.saturating_add(in_millis(timings.max_stale))
    }

    /// Whether somebody fetches.
    pub fn is_leased(&self, now: UnixTime, timings: &Timings) -> bool {
        self.lease > millis(now) && self.lease <= millis(now).saturating_add(in_millis(lease(timings)))
    }

    /// Whether it is time for the next fetch.
    pub fn is_due(&self, now: UnixTime, timings: &Timings) -> bool {
        let longest = in_millis(timings.refresh.max(LONGEST_WAIT));
        self.next <= millis(now) || self.next > millis(now).saturating_add(longest)
    }

    /// Whether an unknown key id may not cause a fetch, as one has just done so.
    pub fn cools_down(&self, now: UnixTime, timings: &Timings) -> bool {
        self.unknown <= millis(now) && millis(now) < self.unknown.saturating_add(in_millis(timings.cooldown))
    }

    /// Whether the last fetch failed.
    pub fn has_failed(&self) -> bool {
        self.failures > 0
    }

    /// How long it is until the next fetch.
    pub fn until_next(&self, now: UnixTime) -> Duration {
        Duration::from_millis(self.next.saturating_sub(millis(now)))
    }

    /// With a lease.
    pub fn leased(self, holder: u64, now: UnixTime, timings: &Timings) -> Self {
        Self { holder, lease: millis(now).saturating_add(in_millis(lease(timings))), ..self }
    }

    /// Without a lease, and to be fetched again after a while.
    pub fn released(self, now: UnixTime, wait: Duration) -> Self {
        Self { holder: 0, lease: 0, next: millis(now).saturating_add(in_millis(wait)), ..self }
    }

    /// As it stands in the slot.
    pub fn encode(&self) -> Vec<u8> {
        let fields = [self.generation, self.fetched, self.next, self.failures, self.unknown, self.holder, self.lease];
        fields.into_iter().flat_map(u64::to_le_bytes).collect()
    }

    /// Reads the slot. What is not understood counts as never written.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (fields, rest) = bytes.as_chunks::<8>();
        let mut fields = fields.iter().map(|field| u64::from_le_bytes(*field));
        let status = Self {
            generation: fields.next()?,
            fetched: fields.next()?,
            next: fields.next()?,
            failures: fields.next()?,
            unknown: fields.next()?,
            holder: fields.next()?,
            lease: fields.next()?,
        };
        (fields.next().is_none() && rest.is_empty()).then_some(status)
    }
}

/// A time as the slot has it.
pub fn millis(time: UnixTime) -> u64 {
    in_millis(time.since_epoch())
}

fn in_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How long a fetch is left to one worker: one that went away must not keep the others from fetching.
fn lease(timings: &Timings) -> Duration {
    timings.timeout.saturating_add(GRACE)
}

/// What a host may take beyond the time-out of a call to say that it is over.
pub const GRACE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    const TIMINGS: Timings = Timings {
        timeout: Duration::from_secs(5),
        refresh: Duration::from_secs(600),
        max_stale: Duration::from_secs(3600),
        cooldown: Duration::from_secs(30),
    };
    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

    test!(a_status_survives_its_slot, {
        let status = Status { generation: 1, fetched: 2, next: 3, failures: 4, unknown: 5, holder: 6, lease: u64::MAX };
        assert_eq!(Status::decode(&status.encode()), Some(status));
        let bytes = status.encode();
        for other in [&bytes[..55], &[], &[bytes.as_slice(), &[0]].concat(), &[0; 64]] {
            assert_eq!(Status::decode(other), None);
        }
    });

    test!(a_clock_that_was_set_back_stops_nothing, {
        let hour_ahead = millis(NOW) + 3_600_000;
        let status = Status { lease: hour_ahead, next: hour_ahead, unknown: hour_ahead, ..Status::default() };
        assert!(!status.is_leased(NOW, &TIMINGS) && status.is_due(NOW, &TIMINGS) && !status.cools_down(NOW, &TIMINGS));
        let leased = Status::default().leased(7, NOW, &TIMINGS);
        assert!(leased.is_leased(NOW, &TIMINGS));
        assert!(!leased.is_leased(NOW.saturating_add(Duration::from_secs(6)), &TIMINGS));
    });

    test!(keys_are_good_until_max_stale_after_the_last_success, {
        let status = Status { generation: 1, fetched: millis(NOW), failures: 9, ..Status::default() };
        assert!(status.is_usable(NOW.saturating_add(Duration::from_millis(3_599_999)), &TIMINGS));
        assert!(!status.is_usable(NOW.saturating_add(Duration::from_secs(3600)), &TIMINGS));
        assert!(!Status::default().is_usable(UnixTime::from_secs(0), &TIMINGS));
    });
}
