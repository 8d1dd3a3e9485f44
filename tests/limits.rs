//! What a limit promises, whatever the times at which requests come, the workers that they come to, and what the host's
//! store does: no more pass than the rate allows, and nobody who keeps to it is refused.

use std::{collections::HashMap, num::NonZeroU32, time::Duration};

use gatepost::{
    host::{Store, Unavailable},
    limit::{By, Charge, Limit, Limits, Place, rate::Rate},
    time::UnixTime,
};
use proptest::prelude::*;

/// Shared data as Envoy has it, but that other workers may come between a look and a write.
#[derive(Default)]
struct Shared {
    slots: HashMap<String, (Vec<u8>, u32)>,
    /// Whether each of the next writes is forestalled by another worker's request.
    forestalled: Vec<bool>,
    other: Option<(Limits, Charge, UnixTime)>,
    /// How many of the other worker's requests have passed.
    passed: usize,
    fails: bool,
}

impl Store for Shared {
    fn get(&mut self, slot: &str) -> Result<Option<(Vec<u8>, u32)>, Unavailable> {
        if self.fails { Err(Unavailable) } else { Ok(self.slots.get(slot).cloned()) }
    }

    fn set(&mut self, slot: &str, value: &[u8], expected: u32) -> Result<bool, Unavailable> {
        if self.fails {
            return Err(Unavailable);
        }
        if self.other.is_some()
            && self.forestalled.pop() == Some(true)
            && let Some((mut limits, charge, now)) = self.other.take()
        {
            self.passed += usize::from(limits.take(std::slice::from_ref(&charge), now, self).is_ok());
            self.other = Some((limits, charge, now));
        }
        let present = self.slots.get(slot).map(|(_, number)| *number);
        if present.is_some_and(|present| expected != 0 && expected != present) {
            return Ok(false);
        }
        self.slots.insert(slot.to_owned(), (value.to_vec(), present.unwrap_or(0) + 1));
        Ok(true)
    }
}

fn charge(rate: Rate) -> Charge {
    let limit = Limit { name: "default", place: Place::new(&["test"]), rate, by: By::Identity };
    Charge { limit, caller: "ip:192.0.2.1".to_owned() }
}

fn rates() -> impl Strategy<Value = Rate> {
    let requests = prop_oneof![1..10_u32, 1..1000_u32, Just(1_000_000_000)];
    let per = prop_oneof![1..10_u64, 1..5_000_u64, Just(86_400_000)];
    (requests, per, proptest::option::of(1..50_u32)).prop_map(|(requests, per, burst)| {
        let (requests, burst) = (NonZeroU32::new(requests).unwrap(), burst.and_then(NonZeroU32::new));
        Rate::new(requests, Duration::from_millis(per), burst)
    })
}

/// Pauses between requests, in parts of a thousand of what one request takes.
fn pauses() -> impl Strategy<Value = Vec<u64>> {
    let pause = prop_oneof![4 => Just(0), 4 => 0..1_500_u64, 1 => 0..30_000_u64];
    proptest::collection::vec(pause, 1..200)
}

/// The times of requests with these pauses, in nanoseconds.
fn times(rate: Rate, pauses: &[u64]) -> Vec<u64> {
    let mut now = u128::from(START);
    let times = pauses.iter().map(|pause| {
        now += rate.per.as_nanos() * u128::from(*pause) / u128::from(rate.requests.get()) / 1000;
        u64::try_from(now).unwrap()
    });
    times.collect()
}

/// Whether a request may pass after those that have passed, by every window that ends with it.
fn fits(rate: Rate, passed: &[u64], time: u64) -> bool {
    let (requests, per) = (u128::from(rate.requests.get()), rate.per.as_nanos());
    passed.iter().enumerate().all(|(first, start)| {
        let count = (passed.len() - first + 1) as u128;
        count.saturating_sub(u128::from(rate.burst.get())) * per <= u128::from(time - start) * requests
    })
}

/// In every window, no more than a burst and what the rate allows in its time.
fn check(rate: Rate, passed: &[u64]) -> Result<(), TestCaseError> {
    let (requests, per) = (u128::from(rate.requests.get()), rate.per.as_nanos());
    for (first, start) in passed.iter().enumerate() {
        for (last, end) in passed.iter().enumerate().skip(first) {
            let count = (last - first + 1) as u128;
            let allowed = u128::from(rate.burst.get()) + u128::from(end - start) * requests / per;
            prop_assert!(count <= allowed, "{count} pass in {} ns, of {rate:?}", end - start);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_request_passes_if_and_only_if_no_window_then_holds_more_than_a_burst_and_the_rate(rate in rates(), pauses in pauses(), workers in 1..5_usize) {
        let (mut shared, charge) = (Shared::default(), [charge(rate)]);
        let mut workers: Vec<Limits> = (0..workers).map(|_| Limits::default()).collect();
        let count = workers.len();
        let mut passed = Vec::new();
        for (at, time) in times(rate, &pauses).into_iter().enumerate() {
            let passes = workers[at % count].take(&charge, UnixTime::from_nanos(time), &mut shared).is_ok();
            prop_assert_eq!(passes, fits(rate, &passed, time), "request {} at {} of {:?}", at, time - START, rate);
            if passes {
                passed.push(time);
            }
        }
        check(rate, &passed)?;
    }

    #[test]
    fn who_keeps_to_the_rate_is_never_refused(rate in rates(), count in 1..300_u128) {
        let (mut shared, mut limits, charge) = (Shared::default(), Limits::default(), [charge(rate)]);
        for number in 0..count {
            // A burst at once, then each as soon as the rate allows, to the nanosecond.
            let behind = number.saturating_sub(u128::from(rate.burst.get() - 1));
            let due = rate.per.as_nanos().div_ceil(u128::from(rate.requests.get())) * behind;
            let now = UnixTime::from_nanos(START + u64::try_from(due).unwrap());
            prop_assert!(limits.take(&charge, now, &mut shared).is_ok(), "request {number} of {rate:?}");
        }
    }

    #[test]
    fn retry_after_is_exact(rate in rates(), pauses in pauses()) {
        let (mut shared, mut limits, charge) = (Shared::default(), Limits::default(), [charge(rate)]);
        for time in times(rate, &pauses) {
            let now = UnixTime::from_nanos(time);
            if let Err(exceeded) = limits.take(&charge, now, &mut shared) {
                let wait = exceeded.retry_after();
                let early = now.saturating_add(wait - Duration::from_nanos(1));
                prop_assert!(limits.take(&charge, early, &mut shared).is_err());
                prop_assert!(limits.take(&charge, now.saturating_add(wait), &mut shared).is_ok());
                return Ok(());
            }
        }
    }

    /// Between each look and write another worker may do the whole of it.
    #[test]
    fn lost_races_count_once_and_pass_once(
        rate in rates(),
        pauses in pauses(),
        races in proptest::collection::vec(prop::bool::weighted(0.6), 0..600),
    ) {
        let (mut shared, mut limits, charge) = (Shared::default(), Limits::default(), charge(rate));
        // Eight in a row, and a worker counts for itself.
        shared.forestalled = races.iter().enumerate().map(|(at, race)| *race && at % 8 != 0).collect();
        shared.other = Some((Limits::default(), charge.clone(), UnixTime::from_nanos(START)));
        let mut passed = Vec::new();
        for time in times(rate, &pauses) {
            let now = UnixTime::from_nanos(time);
            if let Some((_, _, other_now)) = &mut shared.other {
                *other_now = now;
            }
            let mine = limits.take(std::slice::from_ref(&charge), now, &mut shared).is_ok();
            let others = std::mem::take(&mut shared.passed);
            passed.extend(std::iter::repeat_n(time, others + usize::from(mine)));
        }
        check(rate, &passed)?;
        // And nobody was kept out: where all of a burst is left, the next one passes.
        let later = UnixTime::from_nanos(START).saturating_add(Duration::from_secs(1_000_000_000));
        prop_assert!(limits.take(&[charge], later, &mut shared).is_ok());
    }

    /// A store that fails now and then: each worker then counts for itself besides, and no more than that passes.
    #[test]
    fn a_store_that_fails_at_times_is_no_open_door(
        rate in rates(),
        pauses in pauses(),
        failures in proptest::collection::vec(any::<bool>(), 200),
    ) {
        let (mut shared, mut limits, charge) = (Shared::default(), Limits::default(), [charge(rate)]);
        let (mut with_store, mut alone) = (Vec::new(), Vec::new());
        for (time, fails) in times(rate, &pauses).into_iter().zip(failures) {
            shared.fails = fails;
            if limits.take(&charge, UnixTime::from_nanos(time), &mut shared).is_ok() {
                if fails { alone.push(time) } else { with_store.push(time) }
            }
        }
        check(rate, &with_store)?;
        check(rate, &alone)?;
    }

    #[test]
    fn a_clock_that_jumps_locks_nobody_out(rate in rates(), jumps in proptest::collection::vec(-100_000_i64..100_000, 1..60)) {
        let (mut shared, mut limits, charge) = (Shared::default(), Limits::default(), [charge(rate)]);
        let mut now = START;
        for seconds in jumps {
            now = now.saturating_add_signed(seconds * 1_000_000_000);
            let _ = limits.take(&charge, UnixTime::from_nanos(now), &mut shared);
        }
        // Whoever is refused is so no longer than for a whole burst and a second.
        let now = UnixTime::from_nanos(now);
        let later = now.saturating_add(rate.horizon()).saturating_add(Duration::from_secs(1));
        let passes = |limits: &mut Limits, shared: &mut Shared, now| limits.take(&charge, now, shared).is_ok();
        prop_assert!(passes(&mut limits, &mut shared, now) || passes(&mut limits, &mut shared, later));
    }
}

const START: u64 = 1_800_000_000_000_000_000;
