//! One revocation list for all workers: fetched once in `refresh`, in force on every worker within it, kept while the provider
//! is away.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use wasm_test_harness::{
    client::Response,
    provider::{Answer, Provider},
};

use super::gateway::{IDP, Running, is_unavailable, only, request, revocation, token_with, until, user};

#[test]
fn a_token_is_refused_on_all_of_four_workers_within_refresh_and_one_of_them_fetches() {
    let provider = Provider::spawn().unwrap();
    provider.answer(IDP, "/revoked", [list(&[])]);
    let running = Running::start(4, provider, &[("users", revocation(json!({"refresh": "2s"})))]);
    let (stolen, good) = (token("stolen"), token("good"));
    // In the token cache of every worker.
    for _ in 0..3 {
        let outcomes = running.burst("users", many(&stolen), || {});
        assert_eq!(outcomes.tally(), only(200, CONNECTIONS));
    }
    let (began, calls) = (Instant::now(), running.provider.calls(IDP, "/revoked"));
    thread::sleep(REFRESH * 5);
    let fetches = running.provider.calls(IDP, "/revoked") - calls;
    // The last fifth of each time is left to chance.
    let most = began.elapsed().as_millis() / (REFRESH.as_millis() * 8 / 10) + 1;
    assert!(fetches >= 4 && fetches as u128 <= most, "{fetches} fetches in {:?}", began.elapsed());

    running.provider.answer(IDP, "/revoked", [list(&["stolen"])]);
    let (began, mut accepted) = (Instant::now(), 0);
    let mut last_accepted = began;
    while began.elapsed() < REFRESH + SLACK * 2 {
        let sent = Instant::now();
        if user(&running.get("users", "/orders/7", &stolen)).is_some() {
            (accepted, last_accepted) = (accepted + 1, sent);
        }
    }
    let late = last_accepted - began;
    assert!(late < REFRESH + SLACK, "a revoked token was accepted {late:?} after it was put on the list");
    println!("a revoked token was accepted for {late:?} with refresh {REFRESH:?}, {accepted} times");
    let outcomes = running.burst("users", many(&stolen), || {});
    assert_eq!(outcomes.tally(), only(401, CONNECTIONS), "on every worker");
    assert_eq!(running.burst("users", many(&good), || {}).tally(), only(200, CONNECTIONS));
    assert_eq!(running.stat("wasmcustom.gatepost.revocation_fetches.default.failed"), 0);
    assert!(running.stat("wasmcustom.gatepost.revocation_fetches.default.succeeded") >= 5);
    running.finish(&[&stolen, &good, "stolen"]);
}

#[test]
fn a_thousand_requests_on_a_cold_start_wait_for_one_list() {
    let provider = Provider::spawn().unwrap();
    provider.answer(IDP, "/revoked", [list(&["stolen"])]);
    provider.hold(IDP, "/revoked");
    let running = Running::start(4, provider, &[("users", revocation(json!({"timeout": "60s"})))]);
    let (stolen, good) = (token("stolen"), token("good"));
    let requests = (0..1000).map(|number| request("/orders/7", if number % 2 == 0 { &stolen } else { &good }));
    let outcomes = running.burst("users", requests.collect(), || {
        running.until_waiting(1000);
        running.provider.release(IDP, "/revoked");
    });
    let statuses: Vec<u16> = outcomes.responses().map(|response| response.status).collect();
    assert!(statuses.chunks(2).all(|pair| pair == [401, 200]), "{:?}", outcomes.tally());
    assert_eq!(running.provider.calls(IDP, "/revoked"), 1);
    running.finish(&[&stolen, &good]);
}

#[test]
fn a_list_serves_until_max_stale_and_then_the_configuration_decides() {
    let provider = Provider::spawn().unwrap();
    provider.answer(IDP, "/revoked", [list(&["stolen"])]);
    let timings = |unavailable: &str| {
        revocation(json!({"timeout": "1s", "refresh": "1s", "max_stale": "6s", "unavailable": unavailable}))
    };
    let listeners = [("deny", timings("deny")), ("allow", timings("allow"))];
    let running = Running::start(2, provider, &listeners);
    let (stolen, good) = (token("stolen"), token("good"));
    let get = |listener: &str, token: &str| running.get(listener, "/orders/7", token);
    let is_refused = |response: &Response| response.status == 401;
    for (listener, _) in &listeners {
        assert!(is_refused(&get(listener, &stolen)) && user(&get(listener, &good)).is_some(), "{listener}");
    }
    // A list that cannot be read is worth no more than none.
    running.provider.answer(IDP, "/revoked", [Answer::json(&json!({"revoked": [{"iss": ISSUER, "value": 7}]}))]);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        for (listener, _) in &listeners {
            assert!(is_refused(&get(listener, &stolen)) && user(&get(listener, &good)).is_some(), "{listener}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    running.provider.down().unwrap();
    until("the list is too old", || {
        let (stolen, good) = (get("deny", &stolen), get("deny", &good));
        assert!(is_refused(&stolen) || is_unavailable(&stolen), "{stolen:?}");
        assert!(user(&good).is_some() || is_unavailable(&good), "{good:?}");
        is_unavailable(&stolen) && is_unavailable(&good)
    });
    assert!(began.elapsed() > Duration::from_secs(4), "the last good list was not six seconds old");
    until("it is gone without", || user(&get("allow", &stolen)).is_some());
    assert!(is_unavailable(&get("deny", &good)));
    until("that is counted", || running.stat("wasmcustom.gatepost.revocations_unchecked.default") > 0);
    assert!(running.stat("wasmcustom.gatepost.revocation_fetches.default.failed") > 0);

    running.provider.answer(IDP, "/revoked", [list(&["stolen"])]);
    running.provider.up().unwrap();
    until("service resumes", || user(&get("deny", &good)).is_some());
    for (listener, _) in &listeners {
        until("the list is in force", || is_refused(&get(listener, &stolen)));
    }
    running.finish(&[&stolen, &good, "stolen"]);
}

#[test]
fn a_hundred_thousand_entries_are_in_force() {
    let provider = Provider::spawn().unwrap();
    let mut ids: Vec<String> =
        (0..100_000_u32).map(|number| format!("{number:08x}-89ab-4cde-8f01-23456789abcd")).collect();
    ids.push("stolen".to_owned());
    provider.answer(IDP, "/revoked", [list(&ids.iter().map(String::as_str).collect::<Vec<_>>())]);
    let running = Running::start(2, provider, &[("users", revocation(json!({"refresh": "2s"})))]);
    let (stolen, good, later) = (token("stolen"), token("good"), token("later"));
    assert_eq!(running.burst("users", many(&stolen), || {}).tally(), only(401, CONNECTIONS));
    assert_eq!(running.burst("users", many(&good), || {}).tally(), only(200, CONNECTIONS));
    assert_eq!(running.burst("users", many(&later), || {}).tally(), only(200, CONNECTIONS));

    // Another one takes its place while requests go on.
    ids.push("later".to_owned());
    running.provider.answer(IDP, "/revoked", [list(&ids.iter().map(String::as_str).collect::<Vec<_>>())]);
    let mut longest = Duration::ZERO;
    let mut refused = 0;
    until("the new list is in force everywhere", || {
        let sent = Instant::now();
        assert!(user(&running.get("users", "/orders/7", &good)).is_some());
        longest = longest.max(sent.elapsed());
        refused = if running.get("users", "/orders/7", &later).status == 401 { refused + 1 } else { 0 };
        refused > CONNECTIONS
    });
    println!("the longest request while a list of {} entries was read took {longest:?}", ids.len());
    running.finish(&[&stolen, &good, &later, &ids[7]]);
}

fn token(id: &str) -> String {
    token_with("es1", json!({"jti": id}))
}

fn list(ids: &[&str]) -> Answer {
    let entries: Vec<Value> = ids.iter().map(|id| json!({"iss": ISSUER, "value": id})).collect();
    Answer::json(&json!({ "revoked": entries }))
}

/// Enough to reach every worker.
fn many(token: &str) -> Vec<wasm_test_harness::client::burst::Request> {
    (0..CONNECTIONS).map(|_| request("/orders/7", token)).collect()
}

const ISSUER: &str = "https://idp.example.com";
const REFRESH: Duration = Duration::from_secs(2);
/// A tick of each worker and the fetch itself, on a machine that is busy.
const SLACK: Duration = Duration::from_secs(2);
const CONNECTIONS: usize = 100;
