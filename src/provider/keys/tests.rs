use std::{cell::RefCell, collections::HashMap, rc::Rc, time::Duration};

use super::*;
use crate::{
    host::{Store, Unavailable},
    provider::{
        Call, CallAnswer, CallFailure, CallIds, Effects,
        endpoint::Endpoint,
        schedule::{Random, Timings},
        source::{Origin, Progress, SourceConfig, Work},
    },
    test::test,
};

/// The slots by name: value and CAS number.
type SharedSlots = HashMap<String, (Vec<u8>, u32)>;

/// A proxy's shared data, as Envoy keeps it.
#[derive(Clone, Default)]
struct Shared {
    slots: Rc<RefCell<SharedSlots>>,
    /// What every call is answered with, where the host has no such thing.
    refuses: Rc<RefCell<bool>>,
}

impl Store for Shared {
    fn get(&mut self, slot: &str) -> Result<Option<(Vec<u8>, u32)>, Unavailable> {
        if *self.refuses.borrow() { Err(Unavailable) } else { Ok(self.slots.borrow().get(slot).cloned()) }
    }

    fn set(&mut self, slot: &str, value: &[u8], expected: u32) -> Result<bool, Unavailable> {
        if *self.refuses.borrow() {
            return Err(Unavailable);
        }
        let mut slots = self.slots.borrow_mut();
        let present = slots.get(slot).map(|(_, cas)| *cas);
        if present.is_some_and(|present| expected != 0 && expected != present) {
            return Ok(false);
        }
        slots.insert(slot.to_owned(), (value.to_vec(), present.unwrap_or(0) + 1));
        Ok(true)
    }
}

/// One worker.
struct Worker {
    source: KeySource,
    store: Shared,
    random: Random,
    calls: CallIds,
    effects: Effects,
}

impl Worker {
    fn new(store: &Shared, seed: u64) -> Self {
        Self::with(store, seed, Origin::Remote(endpoint("https://idp.example.com/jwks")))
    }

    fn with(store: &Shared, seed: u64, origin: Origin) -> Self {
        let timings = Timings::DEFAULT;
        let source = KeySource::new("jwks.remote".to_owned(), SourceConfig { origin, timings });
        let (random, calls) = (Random::new(seed), CallIds::default());
        Self { source, store: store.clone(), random, calls, effects: Effects::default() }
    }

    /// Polls, and gives the calls that come of it.
    fn poll(&mut self, now: u64) -> (Progress, Vec<Call>) {
        let progress = self.source.poll(&mut Work {
            now: at(now),
            store: &mut self.store,
            random: &mut self.random,
            calls: &mut self.calls,
            effects: &mut self.effects,
        });
        (progress, std::mem::take(&mut self.effects.calls))
    }

    fn answer(&mut self, call: &Call, answer: Result<CallAnswer, CallFailure>, now: u64) -> Option<Progress> {
        let answer = answer.as_ref().map_err(|failure| *failure);
        self.source.answer(
            call.id,
            answer,
            &mut Work {
                now: at(now),
                store: &mut self.store,
                random: &mut self.random,
                calls: &mut self.calls,
                effects: &mut self.effects,
            },
        )
    }

    /// Fetches, and takes this answer at once.
    fn fetch(&mut self, now: u64, answer: Result<CallAnswer, CallFailure>) -> Progress {
        let (_, calls) = self.poll(now);
        assert_eq!(calls.len(), 1, "at {now}");
        self.answer(&calls[0], answer, now).unwrap()
    }

    fn keys(&self, now: u64) -> Result<usize, Availability> {
        self.source.keys(at(now)).map(KeySet::len)
    }
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_secs(1_800_000_000 + seconds)
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint::parse(url, "idp").unwrap()
}

fn answer(status: &str, body: &str) -> Result<CallAnswer, CallFailure> {
    let headers = vec![(":status".to_owned(), status.as_bytes().to_vec())];
    Ok(CallAnswer { headers, body: body.as_bytes().to_vec() })
}

/// A key set with so many keys.
fn keys(count: u8) -> Result<CallAnswer, CallFailure> {
    let key = |kid| format!(r#"{{"kty":"oct","k":"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE","kid":"{kid}"}}"#);
    let keys: Vec<String> = (0..count).map(key).collect();
    answer("200", &format!("{{\"keys\":[{}]}}", keys.join(",")))
}

test!(one_worker_fetches_for_all, {
    let shared = Shared::default();
    let mut workers: Vec<Worker> = (0..5).map(|seed| Worker::new(&shared, seed)).collect();
    assert!(workers.iter().all(|worker| worker.keys(0) == Err(Availability::Wait)));
    let calls: Vec<Vec<Call>> = workers.iter_mut().map(|worker| worker.poll(0).1).collect();
    assert_eq!(calls.iter().map(Vec::len).sum::<usize>(), 1);
    assert!(workers.iter_mut().all(|worker| !worker.poll(4).0.settled), "they wait for the one that fetches");
    let progress = workers[0].answer(&calls[0][0], keys(2), 4).unwrap();
    assert!(progress.changed && progress.settled);
    for worker in &mut workers[1..] {
        let (progress, calls) = worker.poll(4);
        assert!(progress.changed && progress.settled && calls.is_empty());
    }
    assert!(workers.iter().all(|worker| worker.keys(4) == Ok(2)));
    assert!(workers.iter_mut().all(|worker| worker.poll(400).1.is_empty()), "they are fresh");
    let refreshes: usize = workers.iter_mut().map(|worker| worker.poll(700).1.len()).sum();
    assert_eq!(refreshes, 1);
});

test!(a_worker_that_goes_away_holds_nobody_up, {
    let shared = Shared::default();
    let (mut gone, mut other) = (Worker::new(&shared, 1), Worker::new(&shared, 2));
    let lost = gone.poll(0).1;
    assert!(other.poll(5).1.is_empty());
    let calls = other.poll(7).1;
    assert_eq!(calls.len(), 1);
    // It comes back when the lease is another's: its answer is not taken.
    assert_eq!(gone.answer(&lost[0], keys(9), 6), Some(Progress::default()));
    other.answer(&calls[0], keys(1), 8);
    gone.poll(8);
    assert_eq!((gone.keys(8), other.keys(8)), (Ok(1), Ok(1)));
    // One that is told to go gives its lease back.
    assert_eq!(gone.poll(700).1.len(), 1);
    gone.source.release(&mut gone.store);
    assert_eq!(other.poll(700).1.len(), 1);
});

test!(a_fetch_that_is_cut_off_is_made_again, {
    // For an unknown key, by a worker that is told to go, and by one that is not seen again.
    for (told, later) in [(true, 1), (false, 8)] {
        let shared = Shared::default();
        let (mut gone, mut other) = (Worker::new(&shared, 1), Worker::new(&shared, 2));
        other.fetch(0, keys(1));
        gone.poll(1);
        assert_eq!(gone.source.on_unknown_key(at(1), at(1)), Some(Availability::Wait));
        assert_eq!(gone.poll(1).1.len(), 1);
        if told {
            gone.source.release(&mut gone.store);
        }
        assert_eq!(other.source.on_unknown_key(at(later), at(later)), Some(Availability::Wait));
        assert!(other.fetch(later, keys(2)).changed);
        assert_eq!(other.keys(later), Ok(2));
    }
});

test!(a_request_has_an_unknown_key_asked_for_once, {
    let mut worker = Worker::new(&Shared::default(), 1);
    worker.fetch(0, keys(1));
    assert_eq!(worker.source.on_unknown_key(at(1), at(1)), Some(Availability::Wait));
    let calls = worker.poll(2).1;
    worker.answer(&calls[0], keys(1), 50);
    // The cooldown has been over for long: whoever comes now asks anew, and who came before does not.
    assert_eq!(worker.source.on_unknown_key(at(1), at(50)), None);
    assert_eq!(worker.source.on_unknown_key(at(50), at(50)), Some(Availability::Wait));
});

test!(keys_that_arrive_let_waiters_go_while_somebody_fetches, {
    let shared = Shared::default();
    let mut one = Worker::new(&shared, 1);
    one.fetch(0, keys(1));
    assert_eq!(one.poll(700).1.len(), 1);
    let (progress, calls) = Worker::new(&shared, 2).poll(701);
    assert!(progress.changed && progress.settled && calls.is_empty());
});

test!(keys_that_do_not_match_the_status_are_fetched_anew, {
    let shared = Shared::default();
    let mut one = Worker::new(&shared, 1);
    one.fetch(0, keys(1));
    // As if a worker that lost its lease had come in between.
    let slot = shared.slots.borrow().keys().find(|slot| slot.ends_with(".set")).unwrap().clone();
    let Ok(CallAnswer { body, .. }) = keys(9) else { panic!("no keys") };
    shared.slots.borrow_mut().insert(slot, (body, 1000));
    assert_eq!(one.keys(1), Ok(1));
    let mut other = Worker::new(&shared, 2);
    assert!(other.fetch(1, keys(3)).changed);
    assert!(one.poll(1).0.changed);
    assert_eq!((one.keys(1), other.keys(1)), (Ok(3), Ok(3)));
});

test!(a_store_that_fails_halfway_costs_fetches_and_no_keys, {
    let shared = Shared::default();
    let (mut one, mut other) = (Worker::new(&shared, 1), Worker::new(&shared, 2));
    let calls = one.poll(0).1;
    *shared.refuses.borrow_mut() = true;
    assert!(one.answer(&calls[0], keys(1), 0).unwrap().settled);
    *shared.refuses.borrow_mut() = false;
    assert_eq!(one.keys(0), Ok(1));
    assert!(other.poll(1).1.is_empty(), "it does not know that the lease is over");
    other.fetch(7, keys(2));
    assert_eq!((one.keys(7), other.keys(7)), (Ok(1), Ok(2)));
    one.fetch(700, keys(2));
    assert_eq!(one.keys(700), Ok(2));
});

test!(a_clock_that_is_set_back_holds_nothing_up, {
    let mut worker = Worker::new(&Shared::default(), 1);
    worker.poll(100_000);
    let again = worker.poll(0).1;
    assert!(again.is_empty() && matches!(worker.effects.events.pop(), Some(Event::FetchFailed { .. })));
    worker.fetch(1, keys(1));
    assert_eq!(worker.keys(1), Ok(1));
});

test!(a_lost_answer_is_given_up, {
    let mut worker = Worker::new(&Shared::default(), 1);
    let lost = worker.poll(0).1;
    assert!(worker.poll(6).1.is_empty());
    // Told as a failure, and tried again as after one.
    assert!(worker.poll(7).0.settled);
    assert!(matches!(worker.effects.events.pop(), Some(Event::FetchFailed { .. })));
    assert!(matches!(worker.keys(7), Err(Availability::Unavailable(_))));
    let again = worker.poll(8).1;
    assert_eq!(again.len(), 1);
    assert_eq!(worker.answer(&lost[0], keys(1), 8), None);
    assert!(worker.answer(&again[0], keys(1), 8).is_some());
});

test!(an_unknown_key_is_fetched_once_in_a_while, {
    let shared = Shared::default();
    let (mut one, mut other) = (Worker::new(&shared, 1), Worker::new(&shared, 2));
    one.fetch(0, keys(1));
    other.poll(0);
    assert_eq!(one.source.on_unknown_key(at(1), at(1)), Some(Availability::Wait));
    assert_eq!(other.source.on_unknown_key(at(1), at(1)), Some(Availability::Wait));
    assert!(one.fetch(1, keys(2)).changed);
    let (progress, calls) = other.poll(1);
    assert!(progress.changed && progress.settled && calls.is_empty());
    for worker in [&mut one, &mut other] {
        // Another worker may know more; none does.
        assert_eq!(worker.source.on_unknown_key(at(30), at(30)), Some(Availability::Wait));
        assert!(worker.poll(30).1.is_empty());
        assert_eq!(worker.source.on_unknown_key(at(30), at(30)), None);
        assert_eq!(worker.source.on_unknown_key(at(31), at(31)), Some(Availability::Wait));
    }
    assert!(!one.fetch(31, keys(2)).changed, "the same keys are not read again");
});

test!(failures_back_off_and_old_keys_serve_until_they_are_too_old, {
    let mut worker = Worker::new(&Shared::default(), 1);
    worker.fetch(0, keys(1));
    let mut now = 600;
    let mut fetches = 0;
    while now < 3600 {
        for call in worker.poll(now).1 {
            fetches += 1;
            worker.answer(&call, answer("503", ""), now);
        }
        assert_eq!(worker.keys(now), Ok(1));
        now += 1;
    }
    assert!((300..450).contains(&fetches), "{fetches} in 50 minutes");
    // An unknown key does not cause one more; it may be good, though.
    assert!(matches!(worker.source.on_unknown_key(at(now - 1), at(now - 1)), Some(Availability::Unavailable(_))));
    match worker.keys(now) {
        Err(Availability::Unavailable(retry)) => assert!(retry <= Duration::from_secs(10)),
        other => panic!("{other:?}"),
    }
    // It comes back.
    now += 11;
    assert_eq!(worker.keys(now), Err(Availability::Wait));
    worker.fetch(now, keys(1));
    assert_eq!(worker.keys(now), Ok(1));
    assert_eq!(worker.source.on_unknown_key(at(now), at(now)), Some(Availability::Wait));
});

test!(answers_of_no_use_change_nothing, {
    let mut worker = Worker::new(&Shared::default(), 1);
    worker.fetch(0, keys(1));
    let mut now = 1000;
    for (bad, failure) in [
        (Err(CallFailure::NotSent), ProviderFailure::Call(CallFailure::NotSent)),
        (answer("404", ""), ProviderFailure::Status(404)),
        (answer("", ""), ProviderFailure::Status(0)),
        (answer("200", "<html>"), ProviderFailure::NotAnObject),
        (answer("200", "{}"), ProviderFailure::NotAKeySet),
        (keys(0), ProviderFailure::NoUsableKey { first: None }),
    ] {
        assert!(worker.fetch(now, bad).settled);
        let place = "jwks.remote".to_owned();
        assert_eq!(worker.effects.events.pop(), Some(Event::FetchFailed { place, failure }));
        assert_eq!(worker.keys(now), Ok(1));
        now += 11;
    }
});

test!(a_host_without_shared_data_has_workers_that_stand_for_themselves, {
    let shared = Shared::default();
    *shared.refuses.borrow_mut() = true;
    let (mut one, mut other) = (Worker::new(&shared, 1), Worker::new(&shared, 2));
    for worker in [&mut one, &mut other] {
        assert!(worker.fetch(0, keys(1)).changed);
        assert_eq!(worker.keys(0), Ok(1));
        assert!(worker.poll(1).1.is_empty());
        assert!(worker.fetch(700, keys(2)).changed);
        assert_eq!(worker.keys(700), Ok(2));
    }
});

test!(a_new_plugin_finds_the_keys_of_the_one_that_it_replaces, {
    let shared = Shared::default();
    Worker::new(&shared, 1).fetch(0, keys(3));
    let mut successor = Worker::new(&shared, 2);
    let (progress, calls) = successor.poll(1);
    assert!(progress.changed && progress.settled && calls.is_empty());
    assert_eq!(successor.keys(1), Ok(3));
});

test!(discovery_takes_two_calls_within_one_time_out, {
    let origin = Origin::Discovery {
        issuer: "https://idp.example.com".to_owned(),
        document: endpoint("https://idp.example.com/.well-known/openid-configuration"),
        jwks_cluster: None,
    };
    let mut worker = Worker::with(&Shared::default(), 1, origin);
    let document = worker.poll(0).1;
    let text = r#"{"issuer":"https://idp.example.com","jwks_uri":"https://idp.example.com/keys"}"#;
    assert_eq!(worker.answer(&document[0], answer("200", text), 3), Some(Progress::default()));
    let call = worker.effects.calls.pop().unwrap();
    assert!(call.headers.contains(&(":path".to_owned(), "/keys".to_owned())));
    assert_eq!(call.timeout, Duration::from_secs(2));
    assert!(worker.answer(&call, keys(1), 4).unwrap().settled);
    assert_eq!(worker.keys(4), Ok(1));
    let document = worker.poll(700).1;
    assert!(
        worker.answer(&document[0], answer("200", "{\"issuer\":\"https://evil.example.com\"}"), 700).unwrap().settled
    );
    assert_eq!(worker.keys(700), Ok(1));
});
