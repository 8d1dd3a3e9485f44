//! A provider that goes away for a while, and one that is away for too long.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use wasm_test_harness::provider::{Answer, Provider};

use super::gateway::{IDP, Running, is_unavailable, remote, token, until, user};

/// The proportions are those of twenty seconds in a minute.
#[test]
fn an_outage_fails_no_valid_request_until_the_keys_are_too_old() {
    let provider = Provider::spawn().unwrap();
    provider.answer(IDP, "/jwks", [Answer::keys(&["es1"])]);
    let timings = json!({"timeout": "2s", "refresh": "1s", "max_stale": "18s", "cooldown": "1s"});
    let running = Running::start_beside(2, provider, &[("users", remote(timings))]);
    let cached = token("es1", "cached");
    let mut sent = Vec::new();
    let get = |sent: &mut Vec<String>| {
        // One that was verified before, and one that is new.
        let fresh = token("es1", &format!("fresh-{}", sent.len()));
        let both = [running.get("users", "/orders/7", &cached), running.get("users", "/orders/7", &fresh)];
        sent.push(fresh);
        both
    };
    until("the keys are there", || get(&mut sent)[0].status == 200);

    running.provider.down().unwrap();
    let (began, mut served) = (Instant::now(), 0);
    while began.elapsed() < SHORT_OUTAGE {
        let both = get(&mut sent);
        assert!(both.iter().all(|response| user(response).is_some()), "{both:?} after {:?}", began.elapsed());
        served += 1;
        thread::sleep(Duration::from_millis(20));
    }
    assert!(served >= 10, "{served} are no load");
    running.provider.up().unwrap();
    let calls = running.provider.calls(IDP, "/jwks");
    until("the keys are fetched again", || running.provider.calls(IDP, "/jwks") > calls);

    // Past max_stale nobody is let through, and nobody is told that it was their token.
    running.provider.down().unwrap();
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    until("the keys are too old", || {
        let both = get(&mut sent);
        for response in &both {
            *statuses.entry(response.status).or_default() += 1;
            assert!(user(response).is_some() || is_unavailable(response), "{response:?}");
        }
        both.iter().all(is_unavailable)
    });
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        let both = get(&mut sent);
        assert!(both.iter().all(is_unavailable), "{both:?} after {statuses:?}");
        thread::sleep(Duration::from_millis(20));
    }

    running.provider.up().unwrap();
    let began = Instant::now();
    until("service resumes by itself", || get(&mut sent).iter().all(|response| user(response).is_some()));
    assert!(began.elapsed() < LONGEST_BACK_OFF + SLACK, "{:?}", began.elapsed());
    let secrets: Vec<&str> = sent.iter().chain([&cached]).map(String::as_str).collect();
    running.finish(&secrets);
}

const SHORT_OUTAGE: Duration = Duration::from_secs(6);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(10);
const SLACK: Duration = Duration::from_secs(10);
