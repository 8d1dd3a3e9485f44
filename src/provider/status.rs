//! What the workers of a proxy share about one document: a slot small enough to be read on every tick.

use std::time::Duration;

use super::{
    GRACE,
    schedule::{LONGEST_WAIT, Timings},
};
use crate::time::UnixTime;

/// The state of a document's fetches. Times are Unix time in milliseconds; 0 is never.
///
/// The clock is the machine's and may be set: a time that lies further ahead than it ever could is not believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Which document is in the other slot: its SHA-256; zeros where there is none.
    pub digest: [u8; 32],
    /// When a fetch last succeeded.
    pub fetched: u64,
    /// When that fetch began.
    pub asked: u64,
    /// When to fetch next.
    pub next: u64,
    /// How many fetches have failed since one succeeded.
    pub failures: u64,
    /// When something that was missing in it, an unknown key id, last caused a fetch.
    pub unknown: u64,
    /// Who fetches.
    pub holder: u64,
    /// Until when nobody else does.
    pub lease: u64,
}

impl Status {
    /// Whether the document may be used.
    pub fn is_usable(&self, now: UnixTime, timings: &Timings) -> bool {
        let earliest = self.fetched.saturating_sub(in_millis(CLOCK_STEP));
        let until = self.fetched.saturating_add(in_millis(timings.max_stale));
        self.digest != [0; 32] && (earliest..until).contains(&millis(now))
    }

    /// Whether somebody fetches.
    pub fn is_leased(&self, now: UnixTime, timings: &Timings) -> bool {
        let longest = lease(timings).saturating_add(CLOCK_STEP);
        self.lease > millis(now) && self.lease <= millis(now).saturating_add(in_millis(longest))
    }

    /// Whether it is time for the next fetch.
    pub fn is_due(&self, now: UnixTime, timings: &Timings) -> bool {
        let longest = in_millis(timings.refresh.max(LONGEST_WAIT).saturating_add(CLOCK_STEP));
        let ahead = self.next > millis(now).saturating_add(longest);
        self.next <= millis(now) || ahead || self.was_cut_off(now, timings)
    }

    /// Whether a worker began to fetch and never said how it ended.
    pub fn was_cut_off(&self, now: UnixTime, timings: &Timings) -> bool {
        self.holder != 0 && !self.is_leased(now, timings)
    }

    /// Whether an unknown key id may not cause a fetch, as one has just done so.
    pub fn cools_down(&self, now: UnixTime, timings: &Timings) -> bool {
        let earliest = self.unknown.saturating_sub(in_millis(CLOCK_STEP));
        earliest <= millis(now) && millis(now) < self.unknown.saturating_add(in_millis(timings.cooldown))
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
        let fields = [self.fetched, self.asked, self.next, self.failures, self.unknown, self.holder, self.lease];
        self.digest.into_iter().chain(fields.into_iter().flat_map(u64::to_le_bytes)).collect()
    }

    /// Reads the slot. What is not understood counts as never written.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (digest, fields) = bytes.split_first_chunk::<32>()?;
        let (fields, rest) = fields.as_chunks::<8>();
        let mut fields = fields.iter().map(|field| u64::from_le_bytes(*field));
        let status = Self {
            digest: *digest,
            fetched: fields.next()?,
            asked: fields.next()?,
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

/// Whether something that began at a time should be over: as it has taken too long, or as the clock has been set back and
/// cannot tell.
pub fn is_overdue(began: UnixTime, patience: Duration, now: UnixTime) -> bool {
    now > began.saturating_add(patience) || now.saturating_add(CLOCK_STEP) < began
}

fn in_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How long a fetch is left to one worker: one that went away must not keep the others from fetching.
fn lease(timings: &Timings) -> Duration {
    timings.timeout.saturating_add(GRACE)
}

/// By how much a clock may be set back without any notice being taken of it.
pub const CLOCK_STEP: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    const TIMINGS: Timings = Timings::DEFAULT;
    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

    test!(a_status_survives_its_slot, {
        let status = Status {
            digest: [1; 32],
            fetched: 2,
            asked: 1,
            next: 3,
            failures: 4,
            unknown: 5,
            holder: 6,
            lease: u64::MAX,
        };
        assert_eq!(Status::decode(&status.encode()), Some(status));
        let bytes = status.encode();
        for other in [&bytes[..87], &[], &[bytes.as_slice(), &[0]].concat(), &[0; 96]] {
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
        let status = Status { digest: [1; 32], fetched: millis(NOW), failures: 9, ..Status::default() };
        assert!(status.is_usable(NOW.saturating_add(Duration::from_millis(3_599_999)), &TIMINGS));
        assert!(!status.is_usable(NOW.saturating_add(Duration::from_secs(3600)), &TIMINGS));
        assert!(!Status::default().is_usable(UnixTime::from_secs(0), &TIMINGS));
        let set_back = Status { fetched: millis(NOW) + 120_000, ..status };
        assert!(!set_back.is_usable(NOW, &TIMINGS), "nothing was fetched that far ahead");
    });
}
