use std::{collections::HashMap, num::NonZeroU32};

use super::*;
use crate::{host::NoHost, test::test};

/// Shared data that may fail, and whose writes other workers may forestall.
#[derive(Default)]
struct Shared {
    slots: HashMap<String, (Vec<u8>, u32)>,
    /// How many of the next writes lose.
    losing: usize,
    get_fails: bool,
    set_fails: bool,
    gets: usize,
    sets: usize,
    /// Done by another worker before the next write.
    meanwhile: Option<(Limits, Charge)>,
}

impl Store for Shared {
    fn get(&mut self, slot: &str) -> Result<Option<(Vec<u8>, u32)>, Unavailable> {
        self.gets += 1;
        if self.get_fails { Err(Unavailable) } else { Ok(self.slots.get(slot).cloned()) }
    }

    fn set(&mut self, slot: &str, value: &[u8], expected: u32) -> Result<bool, Unavailable> {
        if let Some((mut limits, charge)) = self.meanwhile.take() {
            let _ = limits.take(&[charge], NOW, self);
        }
        self.sets += 1;
        if self.set_fails {
            return Err(Unavailable);
        }
        if self.losing > 0 {
            self.losing -= 1;
            return Ok(false);
        }
        let present = self.slots.get(slot).map(|(_, number)| *number);
        if present.is_some_and(|present| expected != 0 && expected != present) {
            return Ok(false);
        }
        self.slots.insert(slot.to_owned(), (value.to_vec(), present.unwrap_or(0) + 1));
        Ok(true)
    }
}

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

fn charge(place: &str, requests: u32, caller: &str) -> Charge {
    let rate = Rate::new(NonZeroU32::new(requests).unwrap(), Duration::from_secs(60), None);
    let limit = Limit { name: "default", place: Place::new(&[place]), rate, by: By::Identity };
    Charge { limit, caller: caller.to_owned() }
}

/// How many of a thousand requests pass.
fn passed(limits: &mut Limits, charges: &[Charge], store: &mut dyn Store) -> usize {
    (0..1000).filter(|_| limits.take(charges, NOW, store).is_ok()).count()
}

test!(workers_count_together, {
    let mut shared = Shared::default();
    let mut workers = [(); 4].map(|()| Limits::default());
    let charge = [charge("a", 10, "ip:192.0.2.1")];
    let passed = (0..100).filter(|at| workers[at % 4].take(&charge, NOW, &mut shared).is_ok());
    assert_eq!(passed.count(), 10);
    assert_eq!((shared.gets, shared.sets), (100, 10));
});

test!(callers_places_rates_and_plugins_count_apart, {
    let mut shared = Shared::default();
    let mut limits = Limits::default();
    for other in [charge("a", 3, "x"), charge("a", 3, "y"), charge("b", 3, "x"), charge("a", 4, "x")] {
        let most = usize::try_from(other.limit.rate.burst.get()).unwrap();
        assert_eq!(passed(&mut limits, &[other], &mut shared), most);
    }
    limits.set_plugin(&["other", ""]);
    assert_eq!(passed(&mut limits, &[charge("a", 3, "x")], &mut shared), 3);
    limits.set_plugin(&["othe", "r"]);
    assert_eq!(passed(&mut limits, &[charge("a", 3, "x")], &mut shared), 3);
});

test!(every_limit_has_to_pass_and_a_refused_request_counts_against_none, {
    let mut shared = Shared::default();
    let mut limits = Limits::default();
    let (wide, narrow) = (charge("wide", 10, "x"), charge("narrow", 3, "x"));
    assert_eq!(passed(&mut limits, &[wide.clone(), narrow.clone()], &mut shared), 3);
    let exceeded = limits.take(&[wide.clone(), narrow.clone()], NOW, &mut shared).unwrap_err();
    assert_eq!(exceeded.limits, [(narrow.limit.clone(), Duration::from_secs(20))]);
    assert_eq!(passed(&mut limits, std::slice::from_ref(&wide), &mut shared), 7);
    let exceeded = limits.take(&[wide, narrow], NOW, &mut shared).unwrap_err();
    assert_eq!(exceeded.limits.len(), 2);
    assert_eq!(exceeded.retry_after(), Duration::from_secs(20));
});

test!(what_another_worker_takes_meanwhile_is_counted, {
    let mut shared = Shared::default();
    let (wide, narrow) = (charge("wide", 10, "x"), charge("narrow", 1, "x"));
    // The other worker takes the last of the narrow limit between look and write. The wide one gets its own back.
    shared.meanwhile = Some((Limits::default(), narrow.clone()));
    let exceeded = Limits::default().take(&[wide.clone(), narrow.clone()], NOW, &mut shared).unwrap_err();
    assert_eq!(exceeded.limits, [(narrow.limit, Duration::from_secs(60))]);
    assert_eq!(passed(&mut Limits::default(), &[wide], &mut shared), 10);
});

test!(lost_races_neither_open_the_door_nor_close_it, {
    let mut shared = Shared::default();
    let mut limits = Limits::default();
    let charge = [charge("a", 10, "x")];
    shared.losing = MOST_TRIES - 1;
    assert_eq!(passed(&mut limits, &charge, &mut shared), 10);
    // A host on which every write loses.
    let mut shared = Shared { losing: usize::MAX, ..Shared::default() };
    assert_eq!(passed(&mut Limits::default(), &charge, &mut shared), 10);
});

test!(a_worker_without_a_store_counts_for_itself, {
    let charge = [charge("a", 10, "x")];
    assert_eq!(passed(&mut Limits::default(), &charge, &mut NoHost), 10);
    for (get_fails, set_fails) in [(true, false), (false, true), (true, true)] {
        let mut shared = Shared { get_fails, set_fails, ..Shared::default() };
        assert_eq!(passed(&mut Limits::default(), &charge, &mut shared), 10, "{get_fails} {set_fails}");
    }
});

test!(memory_is_bounded_whoever_comes, {
    let mut limits = Limits::default();
    for number in 0..100_000 {
        assert!(limits.take(&[charge("a", 3, &number.to_string())], NOW, &mut NoHost).is_ok());
    }
    assert_eq!(limits.own.values().len(), usize::from(LAST_SLOT) + 1);
    assert!(limits.own.values().all(|bytes| bytes.len() <= 24 * bucket::WAYS));
});

test!(who_is_at_the_limit_stays_there_whoever_else_comes, {
    let mut limits = Limits::default();
    let guesser = charge("a", 3, "ip:192.0.2.1");
    assert_eq!(passed(&mut limits, std::slice::from_ref(&guesser), &mut NoHost), 3);
    for number in 0..100_000 {
        let _ = limits.take(&[charge("a", 3, &number.to_string())], NOW, &mut NoHost);
    }
    assert!(limits.take(&[guesser], NOW, &mut NoHost).is_err());
});
