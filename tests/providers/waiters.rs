//! A thousand requests that wait on one worker, and what may become of them when they wake.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wasm_test_harness::provider::{Answer, Provider};

use super::gateway::{IDP, Running, is_unavailable, only, remote, request, token, token_with, user};

#[test]
fn a_thousand_waiters_on_one_worker_all_have_their_answer() {
    let kinds = ["denied", "direct", "nowhere", "forwarded", "mixed", "unavailable"];
    let provider = Provider::spawn().unwrap();
    let listeners: Vec<(&str, Value)> = kinds
        .iter()
        .map(|kind| {
            let path = format!("/jwks-{kind}");
            let answer = if *kind == "unavailable" { Answer::status(500) } else { Answer::keys(&["es1"]) };
            provider.answer(IDP, &path, [answer]);
            provider.hold(IDP, &path);
            (*kind, remote(json!({"url": format!("http://{IDP}{path}")})))
        })
        .collect();
    let running = Running::start(1, provider, &listeners);
    let good = token("es1", "user-1");
    let expired = token_with("es1", json!({"exp": "@now-1h"}));
    for kind in kinds {
        let requests = (0..WAITERS).map(|number| match (kind, number % 4) {
            ("denied", _) | ("mixed", 0) => request("/orders/7", &expired),
            ("direct", _) | ("mixed", 1) => request("/direct/7", &good),
            ("nowhere", _) | ("mixed", 2) => request("/nowhere/7", &good),
            _ => request("/orders/7", &good),
        });
        let outcomes = running.burst(kind, requests.collect(), || {
            running.until_waiting(WAITERS as u64);
            running.provider.release(IDP, &format!("/jwks-{kind}"));
        });
        let quarter = WAITERS / 4;
        let expected = match kind {
            "denied" => only(401, WAITERS),
            "direct" => only(418, WAITERS),
            "nowhere" | "unavailable" => only(503, WAITERS),
            "forwarded" => only(200, WAITERS),
            _ => [401, 418, 503, 200]
                .map(|status: u16| (status.to_string(), quarter))
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
        };
        assert_eq!(outcomes.tally(), expected, "{kind}");
        for response in outcomes.responses() {
            assert_eq!(user(response).is_some(), response.status == 200, "{kind}: {response:?}");
            assert_eq!(is_unavailable(response), kind == "unavailable", "{kind}: {response:?}");
        }
        if kind != "unavailable" {
            assert_eq!(running.provider.calls(IDP, &format!("/jwks-{kind}")), 1, "{kind}");
        }
        running.until_waiting(0);
    }
    running.finish(&[&good, &expired]);
}

const WAITERS: usize = 1000;
