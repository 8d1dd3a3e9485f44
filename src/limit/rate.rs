//! The generic cell rate algorithm (GCRA; ITU-T I.371, Annex A): one time for each caller says all that is known of them.
//!
//! That time, the arrival, is when a caller who then stays away has used nothing. Each request moves it by `per / requests`,
//! and one that would move it further than a whole burst away is refused. Time is counted in parts of a nanosecond, of
//! which there are `requests` in one, so that nothing is ever rounded.

use std::{num::NonZeroU32, time::Duration};

use crate::time::UnixTime;

/// So many requests in a time, and at once no more than a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many pass in that time, in the long run.
    pub requests: NonZeroU32,
    /// The time.
    pub per: Duration,
    /// How many pass at once after a pause.
    pub burst: NonZeroU32,
}

/// When a caller who stays away has used nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    /// Since 1970-01-01T00:00:00Z.
    pub nanos: u64,
    /// Parts of a nanosecond, as many as the rate's requests in one.
    pub parts: u32,
}

impl Rate {
    /// The rate of a configuration that says nothing of a burst: whoever has few requests may make all of them at once,
    /// whoever has many a fifth of them.
    #[must_use]
    pub fn new(requests: NonZeroU32, per: Duration, burst: Option<NonZeroU32>) -> Self {
        let default = || requests.min(SMALL_BURST).max(NonZeroU32::new(requests.get() / 5).unwrap_or(NonZeroU32::MIN));
        Self { requests, per, burst: burst.unwrap_or_else(default) }
    }

    /// Whether a request passes, and the caller's arrival if it does.
    ///
    /// An arrival that is further away than any request could have moved it was written before the clock was set back. It
    /// says nothing, so that nobody is locked out for as long as the clock went back.
    ///
    /// # Errors
    ///
    /// After how long a request would pass.
    pub fn admit(&self, arrival: Option<Arrival>, now: UnixTime) -> Result<Arrival, Duration> {
        let now = self.parts(saturated_nanos(now.since_epoch()), 0);
        let latest = now.saturating_add(self.burst_parts());
        let plausible = latest.saturating_add(self.parts(saturated_nanos(SKEW), 0));
        let arrival = arrival.map_or(0, |arrival| self.parts(arrival.nanos, arrival.parts));
        let used_until = if arrival > plausible { now } else { arrival.clamp(now, latest) };
        let next = used_until.saturating_add(self.request_parts());
        match next.checked_sub(latest) {
            None | Some(0) => Ok(self.arrival(next)),
            Some(missing) => {
                let nanos = missing.div_ceil(u128::from(self.requests.get()));
                Err(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
            }
        }
    }

    /// The arrival without the last request.
    #[must_use]
    pub fn give_back(&self, arrival: Arrival) -> Arrival {
        self.arrival(self.parts(arrival.nanos, arrival.parts).saturating_sub(self.request_parts()))
    }

    /// How far away an arrival can be.
    #[must_use]
    pub fn horizon(&self) -> Duration {
        let nanos = self.burst_parts().div_ceil(u128::from(self.requests.get()));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// What one request takes.
    fn request_parts(&self) -> u128 {
        self.per.as_nanos()
    }

    fn burst_parts(&self) -> u128 {
        self.request_parts().saturating_mul(u128::from(self.burst.get()))
    }

    fn parts(&self, nanos: u64, parts: u32) -> u128 {
        u128::from(nanos).saturating_mul(u128::from(self.requests.get())).saturating_add(u128::from(parts))
    }

    fn arrival(&self, parts: u128) -> Arrival {
        let requests = u128::from(self.requests.get());
        let nanos = parts.checked_div(requests).and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or(u64::MAX);
        let parts = parts.checked_rem(requests).and_then(|parts| u32::try_from(parts).ok()).unwrap_or(0);
        Arrival { nanos, parts }
    }
}

/// Nanoseconds, as many as 64 bits hold: until the year 2554.
pub fn saturated_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// How far the clocks of two workers may be apart: the one that is behind has read its own before it was held up.
pub const SKEW: Duration = Duration::from_secs(1);

/// Up to here the default burst is all requests.
const SMALL_BURST: NonZeroU32 = NonZeroU32::new(20).unwrap();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    const SECOND: Duration = Duration::from_secs(1);
    const NOW: u64 = 1_800_000_000_000_000_000;

    fn rate(requests: u32, per: Duration, burst: u32) -> Rate {
        Rate::new(NonZeroU32::new(requests).unwrap(), per, NonZeroU32::new(burst))
    }

    /// A caller who asks at these nanoseconds: how many pass, and the last refusal's wait.
    fn ask(rate: Rate, times: impl IntoIterator<Item = u64>) -> (usize, Option<Duration>) {
        let (mut arrival, mut passed, mut wait) = (None, 0, None);
        for time in times {
            match rate.admit(arrival, UnixTime::from_nanos(NOW + time)) {
                Ok(next) => (arrival, passed) = (Some(next), passed + 1),
                Err(refused) => wait = Some(refused),
            }
        }
        (passed, wait)
    }

    test!(a_burst_passes_at_once_and_no_more, {
        for (requests, burst) in [(1, 1), (3, 3), (100, 20), (7, 50), (1_000_000_000, 5)] {
            let (passed, wait) = ask(rate(requests, SECOND, burst), [0; 60]);
            assert_eq!(passed, usize::try_from(burst).unwrap());
            assert_eq!(wait, Some(Duration::from_nanos(1_000_000_000_u64.div_ceil(requests.into()))));
        }
    });

    test!(default_bursts, {
        let burst = |requests| Rate::new(NonZeroU32::new(requests).unwrap(), SECOND, None).burst.get();
        let bursts = [1, 3, 20, 21, 100, 101, 105, 600, u32::MAX].map(burst);
        assert_eq!(bursts, [1, 3, 20, 20, 20, 20, 21, 120, u32::MAX / 5]);
    });

    test!(a_refill_is_exact_to_the_nanosecond, {
        // A third of a second is no whole number of nanoseconds: the third request is a whole one after the first.
        let third = rate(3, SECOND, 1);
        assert_eq!(ask(third, [0, 333_333_333]).0, 1);
        assert_eq!(ask(third, [0, 333_333_334]).0, 2);
        assert_eq!(ask(third, [0, 333_333_334, 666_666_666]).0, 2);
        assert_eq!(ask(third, [0, 333_333_334, 666_666_667, 1_000_000_000]).0, 3);
        assert_eq!(ask(third, [0, 333_333_334, 666_666_668, 1_000_000_001]).0, 3);
        assert_eq!(ask(third, [0, 333_333_334, 666_666_668, 1_000_000_002]).0, 4);
        assert_eq!(ask(rate(1, SECOND, 1), [0, 999_999_999]), (1, Some(Duration::from_nanos(1))));
        assert_eq!(ask(rate(1, SECOND, 1), [0, 1_000_000_000]), (2, None));
    });

    test!(refused_requests_count_nothing, {
        let refused = (1..1000).map(|time| time * 1_000_000);
        assert_eq!(ask(rate(1, SECOND, 1), [0].into_iter().chain(refused).chain([1_000_000_000])).0, 2);
    });

    test!(what_was_given_back_can_be_taken_again, {
        let rate = rate(7, SECOND, 1);
        let now = UnixTime::from_nanos(NOW);
        let taken = rate.admit(None, now).unwrap();
        assert!(rate.admit(Some(taken), now).is_err());
        assert_eq!(rate.admit(Some(rate.give_back(taken)), now), Ok(taken));
    });

    test!(a_clock_that_is_set_back_locks_nobody_out, {
        let rate = rate(2, Duration::from_secs(60), 2);
        let mut arrival = None;
        for _ in 0..2 {
            arrival = Some(rate.admit(arrival, UnixTime::from_nanos(NOW)).unwrap());
        }
        // An hour: the arrival says nothing.
        let before = UnixTime::from_nanos(NOW - 3_600_000_000_000);
        assert!(rate.admit(arrival, before).is_ok());
        // Half a second, or a worker that was held up: it still holds, and no longer than it would have.
        let before = UnixTime::from_nanos(NOW - 500_000_000);
        assert_eq!(rate.admit(arrival, before), Err(Duration::from_secs(30)));
    });

    test!(extreme_times_and_rates_neither_overflow_nor_lock_out, {
        let longest = Duration::from_secs(24 * 60 * 60);
        for rate in [
            rate(u32::MAX, longest, u32::MAX),
            rate(1, longest, u32::MAX),
            rate(u32::MAX, Duration::from_nanos(1), 1),
            rate(1, Duration::MAX, u32::MAX),
        ] {
            let garbage =
                [None, Some(Arrival { nanos: 0, parts: 0 }), Some(Arrival { nanos: u64::MAX, parts: u32::MAX })];
            for arrival in garbage {
                for now in [0, 1, NOW] {
                    assert!(rate.admit(arrival, UnixTime::from_nanos(now)).is_ok(), "{rate:?} {arrival:?} {now}");
                }
                let _ = rate.admit(arrival, UnixTime::from_nanos(u64::MAX));
                let _ = rate.admit(arrival, UnixTime::from_secs(u64::MAX));
            }
            let _ = rate.horizon();
        }
    });
}
