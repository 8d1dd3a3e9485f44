use std::collections::{HashMap, HashSet};

use super::*;
use crate::{config, host::NoHost, test::test};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const REPLAYED: Reason = Reason::MalformedCredential;

/// What Envoy has; and other workers that write first, again and again.
#[derive(Default)]
struct Shared {
    slots: HashMap<String, (Vec<u8>, u32)>,
    fails: bool,
    races: u32,
}

impl Store for Shared {
    fn get(&mut self, slot: &str) -> Result<Option<(Vec<u8>, u32)>, Unavailable> {
        if self.fails { Err(Unavailable) } else { Ok(self.slots.get(slot).cloned()) }
    }

    fn set(&mut self, slot: &str, value: &[u8], expected: u32) -> Result<bool, Unavailable> {
        if self.fails {
            return Err(Unavailable);
        }
        let present = self.slots.get(slot).map_or(u32::MAX, |(_, cas)| *cas);
        if self.races > 0 || (expected != 0 && expected != present) {
            self.races = self.races.saturating_sub(1);
            return Ok(false);
        }
        self.slots.insert(slot.to_owned(), (value.to_vec(), present.wrapping_add(1).max(1)));
        Ok(true)
    }
}

fn authenticators(secret: &str, name: &str) -> Vec<Authenticator> {
    let text = format!(
        r#"{{"authenticators": {{"{name}": {{"type": "jwt", "issuer": "i", "audiences": ["a"], "secret": "{secret}"}}}},
            "paths": [{{"method": "GET", "path": "/", "auth": true}}]}}"#
    );
    config::load(text.as_bytes(), &|_| None).unwrap().authenticators
}

fn replay() -> Replay {
    Replay::new(&authenticators("0123456789abcdef0123456789abcdef", "users"))
}

fn later(seconds: u64) -> UnixTime {
    UnixTime::from_secs(1_800_000_000 + seconds)
}

/// What a nonce uses up for a minute.
fn made(replay: &Replay, key: &str, nonce: &str) -> Use {
    replay.make(AuthenticatorId(0), key.as_bytes(), nonce.as_bytes(), later(60), REPLAYED)
}

/// Nonces that all fall into one set.
fn neighbours<'a>(replay: &'a Replay, key: &'a str) -> impl Iterator<Item = Use> + 'a {
    let nonces = (0..).map(move |number| {
        replay.make(AuthenticatorId(0), key.as_bytes(), &u64::to_le_bytes(number), later(60), REPLAYED)
    });
    nonces.filter(|r#use| r#use.entry.slot().ends_with(".000"))
}

test!(something_is_used_once, {
    let (mut replay, mut store) = (replay(), Shared::default());
    let first = made(&replay, "k", "n");
    assert!(!replay.is_used(&first, &mut store));
    assert_eq!(replay.enter(&first, NOW, &mut store), Ok(()));
    assert!(replay.is_used(&first, &mut store));
    assert_eq!(replay.enter(&first, NOW, &mut store), Err(Rejected::Replayed));
    for other in [made(&replay, "k", "m"), made(&replay, "l", "n"), made(&replay, "kn", "")] {
        assert!(!replay.is_used(&other, &mut store));
        assert_eq!(replay.enter(&other, NOW, &mut store), Ok(()));
    }
});

test!(another_worker_knows_it_and_another_authenticator_does_not, {
    let mut store = Shared::default();
    let first = made(&replay(), "k", "n");
    assert_eq!(replay().enter(&first, NOW, &mut store), Ok(()));
    let mut other = replay();
    let second = made(&other, "k", "n");
    assert!(other.is_used(&second, &mut store));
    assert_eq!(other.enter(&second, NOW, &mut store), Err(Rejected::Replayed));
    let mut foreign = Replay::new(&authenticators("0123456789abcdef0123456789abcdef", "others"));
    let second = made(&foreign, "k", "n");
    assert_eq!(foreign.enter(&second, NOW, &mut store), Ok(()));
    // A secret that was changed is no reason to forget.
    let mut rotated = Replay::new(&authenticators("fedcba9876543210fedcba9876543210", "users"));
    let third = made(&rotated, "k", "n");
    assert!(rotated.is_used(&third, &mut store));
});

test!(no_change_of_its_keys_or_limits_has_signed_requests_come_twice, {
    let replay = |keys: &str, more: &str| {
        let partners = format!(r#"{{"type": "hmac", "scheme": "generic", "keys": [{keys}]{more}}}"#);
        let route = r#"{"method": "GET", "path": "/", "auth": true}"#;
        let text = format!(r#"{{"authenticators": {{"partners": {partners}}}, "paths": [{route}]}}"#);
        Replay::new(&config::load(text.as_bytes(), &|_| None).unwrap().authenticators)
    };
    let key = r#"{"id": "k", "secret": "a secret"}"#;
    let mut store = Shared::default();
    let mut before = replay(key, "");
    let first = made(&before, "k", "n");
    assert_eq!(before.enter(&first, NOW, &mut store), Ok(()));
    for (keys, more) in [
        (r#"{"id": "k", "secret": "another secret"}"#, ""),
        (r#"{"id": "new", "secret": "a secret"}, {"id": "k", "secret": "a secret", "owner": "acme"}"#, ""),
        (key, r#", "max_body": 7, "body_timeout": "3s", "tolerance": "10m""#),
    ] {
        let mut after = replay(keys, more);
        let second = made(&after, "k", "n");
        assert_eq!(after.enter(&second, NOW, &mut store), Err(Rejected::Replayed), "{keys}{more}");
    }
});

test!(it_is_remembered_for_as_long_as_it_is_good, {
    let (mut replay, mut store) = (replay(), Shared::default());
    let mut all = neighbours(&replay, "k").take(2).collect::<Vec<_>>();
    let (mut second, first) = (all.pop().unwrap(), all.pop().unwrap());
    assert_eq!(replay.enter(&first, NOW, &mut store), Ok(()));
    // To the very millisecond at which it is still good.
    second.entry.until += 1;
    assert_eq!(replay.enter(&second, later(60), &mut store), Ok(()));
    assert!(replay.is_used(&first, &mut store));
    let at = replay.make(AuthenticatorId(0), b"k", b"n", UnixTime::from_nanos(1_000_001), REPLAYED);
    assert_eq!(at.entry.until, 2);
});

test!(what_is_over_makes_room_and_is_still_not_good_when_the_clock_is_set_back, {
    let (mut replay, mut store) = (replay(), Shared::default());
    let all: Vec<Use> = neighbours(&replay, "k").take(WAYS).collect();
    for r#use in &all[..WAYS / 2] {
        assert_eq!(replay.enter(r#use, NOW, &mut store), Ok(()));
    }
    assert_eq!(replay.enter(&all[WAYS / 2], NOW, &mut store), Err(Rejected::Full));
    let mut fresh = all[WAYS - 1];
    fresh.entry.until += 60_000;
    assert_eq!(replay.enter(&fresh, later(61), &mut store), Ok(()));
    assert_eq!(store.slots["gatepost.replay.1.000"].0.len(), 9 + 32);
    for r#use in &all[..WAYS / 2] {
        assert!(replay.is_used(r#use, &mut store));
        assert_eq!(replay.enter(r#use, NOW, &mut store), Err(Rejected::Replayed));
    }
});

test!(no_key_takes_what_the_others_need, {
    let (mut replay, mut store) = (replay(), Shared::default());
    let mut took = Vec::new();
    for key in ["a", "b", "c", "d", "e", "f", "g"] {
        let uses: Vec<Use> = neighbours(&replay, key).take(WAYS).collect();
        took.push(uses.iter().filter(|r#use| replay.enter(r#use, NOW, &mut store).is_ok()).count());
    }
    assert_eq!(took, [64, 32, 16, 8, 4, 2, 1]);
    // Those that come at once get the same.
    let mut store = Shared::default();
    let uses: Vec<Vec<Use>> = ["a", "b", "c"].iter().map(|key| neighbours(&replay, key).take(WAYS).collect()).collect();
    let mut took = [0; 3];
    for round in 0..WAYS {
        for (uses, took) in uses.iter().zip(&mut took) {
            *took += usize::from(replay.enter(&uses[round], NOW, &mut store).is_ok());
        }
    }
    assert_eq!(took, [32; 3]);
});

test!(a_lost_race_is_run_again_and_given_up_unentered, {
    let (mut replay, mut store) = (replay(), Shared { races: 15, ..Shared::default() });
    let first = made(&replay, "k", "n");
    assert_eq!(replay.enter(&first, NOW, &mut store), Ok(()));
    let second = made(&replay, "k", "m");
    store.races = 16;
    assert_eq!(replay.enter(&second, NOW, &mut store), Err(Rejected::Full));
    assert!(!replay.is_used(&second, &mut store));
});

test!(without_a_store_a_worker_has_its_own_memory, {
    let mut alone = replay();
    let first = made(&alone, "k", "n");
    assert_eq!(alone.enter(&first, NOW, &mut NoHost), Ok(()));
    assert!(alone.is_used(&first, &mut NoHost));
    assert_eq!(alone.enter(&first, NOW, &mut NoHost), Err(Rejected::Replayed));
    // Nor is it forgotten when the store comes, or fails for a while.
    let mut store = Shared::default();
    assert!(alone.is_used(&first, &mut store));
    assert_eq!(alone.enter(&first, NOW, &mut store), Err(Rejected::Replayed));
    store.fails = true;
    let second = made(&alone, "k", "m");
    assert_eq!(alone.enter(&second, NOW, &mut store), Ok(()));
    store.fails = false;
    assert_eq!(alone.enter(&second, NOW, &mut store), Err(Rejected::Replayed));
    let uses: Vec<Use> = neighbours(&alone, "k").take(WAYS).collect();
    assert_eq!(uses.iter().filter(|r#use| alone.enter(r#use, NOW, &mut NoHost).is_ok()).count(), WAYS / 2);
    assert!(alone.own.values().len() <= usize::from(SETS));
});

test!(a_set_survives_its_slot_and_what_is_no_set_does_not, {
    let replay = replay();
    let mut set = Set::default();
    for r#use in neighbours(&replay, "k").take(3) {
        set = set.with(r#use.entry, NOW).unwrap();
    }
    let bytes = set.encode();
    assert_eq!(Set::decode(&bytes), Some(set));
    let other_version = [&[2], &bytes[1..]].concat();
    let too_many = [&bytes[..9], &[0; 32 * (WAYS + 1)]].concat();
    for other in [&bytes[..8], &bytes[..40], &[], &other_version, &too_many] {
        assert_eq!(Set::decode(other), None);
    }
    // Such a slot counts as never written, and is one again.
    let (mut replay, mut store) = (replay, Shared::default());
    let first = neighbours(&replay, "k").next().unwrap();
    store.slots.insert(first.entry.slot(), (b"?".to_vec(), 7));
    assert_eq!(replay.enter(&first, NOW, &mut store), Ok(()));
    assert!(replay.is_used(&first, &mut store));
});

test!(uses_spread_over_all_sets, {
    let replay = replay();
    let slots: HashSet<String> =
        (0..100_000).map(|nonce: u32| made(&replay, "k", &nonce.to_string()).entry.slot()).collect();
    assert_eq!(slots.len(), usize::from(SETS));
});

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use std::{
        sync::{Barrier, Mutex},
        thread,
    };

    use proptest::{collection::vec, prelude::*};

    use super::*;

    struct Locked<'a>(&'a Mutex<Shared>);

    impl Store for Locked<'_> {
        fn get(&mut self, slot: &str) -> Result<Option<(Vec<u8>, u32)>, Unavailable> {
            thread::yield_now();
            self.0.lock().unwrap().get(slot)
        }

        fn set(&mut self, slot: &str, value: &[u8], expected: u32) -> Result<bool, Unavailable> {
            thread::yield_now();
            self.0.lock().unwrap().set(slot, value, expected)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_a_set_or_none(bytes in vec(any::<u8>(), 0..300), version in any::<bool>()) {
            let bytes = if version { [&[1], bytes.as_slice()].concat() } else { bytes };
            if let Some(set) = Set::decode(&bytes) {
                prop_assert_eq!(set.encode(), bytes);
            }
        }

        /// Workers that really run at once, on a store with a lock as a proxy's has.
        #[test]
        fn one_of_many_workers_uses_it(seed in any::<u64>()) {
            let store = Mutex::new(Shared::default());
            let uses: Vec<Use> = neighbours(&replay(), &seed.to_string()).take(20).collect();
            let start = Barrier::new(6);
            let work = || {
                let (mut replay, mut store) = (replay(), Locked(&store));
                start.wait();
                let entered = |r#use: &Use| match replay.enter(r#use, NOW, &mut store) {
                    Ok(()) => (1, false),
                    Err(rejected) => (0, rejected == Rejected::Full),
                };
                uses.iter().map(entered).collect::<Vec<_>>()
            };
            let all: Vec<Vec<(u32, bool)>> = thread::scope(|scope| {
                let workers: Vec<_> = (0..6).map(|_| scope.spawn(work)).collect();
                workers.into_iter().map(|worker| worker.join().unwrap()).collect()
            });
            for number in 0..uses.len() {
                let entered: u32 = all.iter().map(|worker| worker[number].0).sum();
                let gave_up = all.iter().any(|worker| worker[number].1);
                prop_assert!(entered == 1 || (entered == 0 && gave_up), "{number}: {entered}");
            }
        }

        /// Whatever the clock does, nothing is used twice while it is good by the clock of the day.
        #[test]
        fn nothing_is_used_twice(steps in vec((0..40_u8, 0..20_u64, any::<bool>()), 1..200)) {
            let (replay, mut store) = (replay(), Shared::default());
            let all: Vec<Use> = neighbours(&replay, "k").take(40).collect();
            let mut workers = [replay, super::replay()];
            let mut used = HashSet::new();
            let mut now = 30;
            for (number, time, back) in steps {
                now = if back { now - time.min(now) } else { now + time };
                let mut r#use = all[usize::from(number)];
                // Each is good for as long as its number says.
                r#use.entry.until += u64::from(number) * 1000;
                if later(now).since_epoch().as_millis() as u64 > r#use.entry.until {
                    continue;
                }
                let worker = &mut workers[usize::from(number) % 2];
                let seen = worker.is_used(&r#use, &mut store);
                if worker.enter(&r#use, later(now), &mut store).is_ok() {
                    prop_assert!(!seen && used.insert(number), "{number} twice at {now}");
                }
            }
        }
    }
}
