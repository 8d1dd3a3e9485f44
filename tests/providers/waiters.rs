//! A thousand requests that wait on one worker, and what may become of them when they wake.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wasm_test_harness::{
    client::burst::{Outcomes, Request},
    provider::{Answer, Provider},
};

use super::gateway::{IDP, Running, is_unavailable, only, remote, request, token, token_with, until, user};

#[test]
fn a_thousand_waiters_on_one_worker_all_have_their_answer() {
    every_kind(|running, kind, requests| running.burst(kind, requests, || wake(running, kind)));
}

#[test]
fn a_thousand_waiters_of_one_connection_all_have_their_answer() {
    every_kind(|running, kind, requests| running.burst_over_one(kind, requests, || wake(running, kind)));
}

#[test]
fn only_so_many_wait_and_the_others_are_told_at_once() {
    let provider = Provider::spawn().unwrap();
    provider.answer(IDP, "/jwks", [Answer::keys(&["es1"])]);
    provider.hold(IDP, "/jwks");
    let running = Running::start(1, provider, &[("users", remote(json!({})))]);
    let good = token("es1", "user-1");
    let requests = (0..MOST_WAITERS + 400).map(|_| request("/orders/7", &good)).collect();
    let refused = "wasmcustom.gatepost.denied.too_many_waiting";
    let outcomes = running.burst("users", requests, || {
        running.until_waiting(MOST_WAITERS as u64);
        until("the others are refused", || running.stat(refused) == 400);
        running.provider.release(IDP, "/jwks");
    });
    assert_eq!(outcomes.tally(), BTreeMap::from([("200".to_owned(), MOST_WAITERS), ("503".to_owned(), 400)]));
    assert!(outcomes.responses().all(|response| response.status == 200 || is_unavailable(response)));
    running.finish(&[&good]);
}

fn every_kind(send: impl Fn(&Running, &str, Vec<Request>) -> Outcomes) {
    let provider = Provider::spawn().unwrap();
    let listeners: Vec<(&str, Value)> = KINDS
        .iter()
        .map(|kind| {
            let answer = if *kind == "unavailable" { Answer::status(500) } else { Answer::keys(&["es1"]) };
            provider.answer(IDP, &path(kind), [answer]);
            provider.hold(IDP, &path(kind));
            (*kind, remote(json!({"url": format!("http://{IDP}{}", path(kind))})))
        })
        .collect();
    let running = Running::start(1, provider, &listeners);
    let good = token("es1", "user-1");
    let expired = token_with("es1", json!({"exp": "@now-1h"}));
    for kind in KINDS {
        let requests = (0..WAITERS).map(|number| match (kind, number % 4) {
            ("denied", _) | ("mixed", 0) => request("/orders/7", &expired),
            ("direct", _) | ("mixed", 1) => request("/direct/7", &good),
            ("nowhere", _) | ("mixed", 2) => request("/nowhere/7", &good),
            _ => request("/orders/7", &good),
        });
        let outcomes = send(&running, kind, requests.collect());
        let expected = match kind {
            "denied" => only(401, WAITERS),
            "direct" => only(418, WAITERS),
            "nowhere" | "unavailable" => only(503, WAITERS),
            "forwarded" => only(200, WAITERS),
            _ => [401, 418, 503, 200].map(|status: u16| (status.to_string(), WAITERS / 4)).into(),
        };
        assert_eq!(outcomes.tally(), expected, "{kind}");
        for response in outcomes.responses() {
            assert_eq!(user(response).is_some(), response.status == 200, "{kind}: {response:?}");
            assert_eq!(is_unavailable(response), kind == "unavailable", "{kind}: {response:?}");
        }
        if kind != "unavailable" {
            assert_eq!(running.provider.calls(IDP, &path(kind)), 1, "{kind}");
        }
        running.until_waiting(0);
    }
    running.finish(&[&good, &expired]);
}

/// Gives the keys once all wait for them.
fn wake(running: &Running, kind: &str) {
    running.until_waiting(WAITERS as u64);
    running.provider.release(IDP, &path(kind));
}

fn path(kind: &str) -> String {
    format!("/jwks-{kind}")
}

const KINDS: [&str; 6] = ["denied", "direct", "nowhere", "forwarded", "mixed", "unavailable"];
const WAITERS: usize = 1000;
/// What the filter lets wait on one worker.
const MOST_WAITERS: usize = 4096;
