//! One key set for all workers: fetched once, asked for anew within bounds, rotated.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use wasm_test_harness::{
    client::burst,
    provider::{Answer, Provider},
};

use super::gateway::{IDP, PATIENCE, Running, only, remote, request, token, until, user, with_kid};

#[test]
fn a_thousand_requests_on_a_cold_start_of_four_workers_are_one_fetch() {
    let provider = Provider::spawn().unwrap();
    provider.answer(IDP, "/jwks", [Answer::keys(&["es1"]).after(Duration::from_millis(300))]);
    provider.hold(IDP, "/jwks");
    let running = Running::start(4, provider, &[("users", remote(json!({})))]);
    let tokens: Vec<String> = (0..1000).map(|number| token("es1", &format!("user-{number}"))).collect();
    let requests = tokens.iter().enumerate().map(|(number, token)| request(&format!("/orders/{number}"), token));
    let outcomes = running.burst("users", requests.collect(), || {
        running.until_waiting(1000);
        running.provider.release(IDP, "/jwks");
    });
    assert_eq!(outcomes.tally(), only(200, 1000));
    for (number, response) in outcomes.responses().enumerate() {
        assert_eq!(user(response), Some(format!("user-{number}")), "everyone goes on as who they are");
    }
    assert_eq!(running.provider.calls(IDP, "/jwks"), 1);
    running.finish(&tokens.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn ten_thousand_unknown_keys_within_a_cooldown_are_one_more_fetch() {
    let provider = Provider::spawn().unwrap();
    provider.answer(IDP, "/jwks", [Answer::keys(&["es1"])]);
    let running = Running::start(2, provider, &[("users", remote(json!({"cooldown": COOLDOWN})))]);
    let good = token("es1", "user-1");
    let forged = (0..10_000).map(|number| request("/orders/7", &with_kid(&good, &format!("unknown-{number}"))));
    let forged = forged.collect();
    assert_eq!(running.get("users", "/orders/7", &good).status, 200);
    assert_eq!(running.provider.calls(IDP, "/jwks"), 1);

    let began = Instant::now();
    let outcomes = burst::send(running.address("users"), forged, 500, PATIENCE).unwrap();
    let cooldowns = began.elapsed().as_secs() / COOLDOWN_SECONDS;
    assert_eq!(outcomes.tally(), only(401, 10_000));
    let calls = running.provider.calls(IDP, "/jwks") as u64;
    assert!((2..=2 + cooldowns).contains(&calls), "{calls} fetches in {cooldowns} whole cooldowns");

    // A key that is new is found once the cooldown is over, and until then is nobody's.
    running.provider.answer(IDP, "/jwks", [Answer::keys(&["es1", "es2"])]);
    let (fresh, mut early) = (token("es2", "user-2"), 0);
    until("the new key is accepted", || match running.get("users", "/orders/7", &fresh).status {
        401 => {
            early += 1;
            false
        }
        status => status == 200,
    });
    assert_eq!(running.get("users", "/orders/7", &good).status, 200);
    let calls = running.provider.calls(IDP, "/jwks") as u64;
    let cooldowns = began.elapsed().as_secs() / COOLDOWN_SECONDS;
    assert!(calls <= 2 + cooldowns, "{calls} fetches in {cooldowns} whole cooldowns, {early} refusals");
    running.finish(&[&good, &fresh]);
}

#[test]
fn a_new_key_works_at_once() {
    let provider = Provider::spawn().unwrap();
    provider.answer(IDP, "/jwks", [Answer::keys(&["es1"])]);
    let running = Running::start(2, provider, &[("users", remote(json!({"cooldown": "1h"})))]);
    let (old, new) = (token("es1", "user-1"), token("es2", "user-2"));
    assert_eq!(running.get("users", "/orders/7", &old).status, 200);
    running.provider.answer(IDP, "/jwks", [Answer::keys(&["es1", "es2"]).after(Duration::from_millis(200))]);
    let requests = (0..100).map(|number| request("/orders/7", if number % 2 == 0 { &old } else { &new }));
    let outcomes = running.burst("users", requests.collect(), || {});
    assert_eq!(outcomes.tally(), only(200, 100), "an unknown key waits for its fetch, a known one does not mind");
    assert_eq!(running.provider.calls(IDP, "/jwks"), 2);
    running.finish(&[&old, &new]);
}

#[test]
fn a_removed_key_stops_at_the_next_refresh_with_the_tokens_it_verified() {
    let provider = Provider::spawn().unwrap();
    provider.answer(IDP, "/jwks", [Answer::keys(&["es1", "es2"])]);
    let timings = json!({"refresh": "1s", "cooldown": "1h"});
    let running = Running::start(2, provider, &[("users", remote(timings))]);
    let (stays, goes) = (token("es1", "user-1"), token("es2", "user-2"));
    for _ in 0..8 {
        assert_eq!(running.get("users", "/orders/7", &stays).status, 200);
        assert_eq!(running.get("users", "/orders/7", &goes).status, 200);
    }
    running.provider.answer(IDP, "/jwks", [Answer::keys(&["es1"])]);
    until("the removed key is refused", || match running.get("users", "/orders/7", &goes).status {
        200 => false,
        status => status == 401 || panic!("{status}"),
    });
    thread::sleep(SETTLE);
    for _ in 0..8 {
        assert_eq!(running.get("users", "/orders/7", &goes).status, 401, "on no worker");
        assert_eq!(running.get("users", "/orders/7", &stays).status, 200);
    }
    running.finish(&[&stays, &goes]);
}

const COOLDOWN: &str = "10s";
const COOLDOWN_SECONDS: u64 = 10;
/// Longer than the idle pace at which workers learn from each other.
const SETTLE: Duration = Duration::from_secs(1);
