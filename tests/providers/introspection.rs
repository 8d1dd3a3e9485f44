//! Look-ups of opaque tokens: one for all who wait for it, whoever goes away.

use serde_json::json;
use wasm_test_harness::provider::{Answer, Provider};

use super::gateway::{IDP, Running, introspection, only, request, until, user};

#[test]
fn two_hundred_requests_with_one_token_are_one_look_up_a_worker() {
    for workers in [1, 4] {
        let running = start(workers);
        let requests = (0..200).map(|number| request(&format!("/orders/{number}"), TOKEN)).collect();
        running.provider.hold(IDP, "/introspect");
        let outcomes = running.burst("opaque", requests, || {
            running.until_waiting(200);
            running.provider.release(IDP, "/introspect");
        });
        assert_eq!(outcomes.tally(), only(200, 200));
        assert!(outcomes.responses().all(|response| user(response).as_deref() == Some("user-1")));
        let calls = running.provider.calls(IDP, "/introspect");
        assert!((1..=workers as usize).contains(&calls), "{calls} look-ups on {workers} workers");
        running.finish(&[TOKEN]);
    }
}

#[test]
fn a_leader_that_goes_away_strands_nobody() {
    let running = start(1);
    running.provider.hold(IDP, "/introspect");
    let leader = running.send_and_hold("opaque", "/orders/7", TOKEN);
    until("the look-up runs", || running.provider.calls(IDP, "/introspect") == 1);
    let requests = (0..50).map(|_| request("/orders/7", TOKEN)).collect();
    let outcomes = running.burst("opaque", requests, || {
        running.until_waiting(51);
        drop(leader);
        running.until_waiting(50);
        running.provider.release(IDP, "/introspect");
    });
    assert_eq!(outcomes.tally(), only(200, 50));
    assert_eq!(running.provider.calls(IDP, "/introspect"), 1);
    running.finish(&[TOKEN]);
}

#[test]
fn many_tokens_at_once_are_a_look_up_each_and_nobody_is_another() {
    let running = start(1);
    let tokens: Vec<String> = (0..500).map(|number| format!("{TOKEN}-{number}")).collect();
    // The provider cannot tell who is asked about: it tells all apart by their turn, and the filter by their tokens.
    let answers = (0..500).map(|number| active(&format!("turn-{number}")));
    running.provider.answer(IDP, "/introspect", answers);
    let outcomes = running.burst("opaque", tokens.iter().map(|token| request("/orders/7", token)).collect(), || {});
    assert_eq!(outcomes.tally(), only(200, 500));
    let asked = running.provider.asked();
    for (token, response) in tokens.iter().zip(outcomes.responses()) {
        let body = format!("token={token}&token_type_hint=access_token");
        let turn = asked.iter().position(|asked| asked.body == body.as_bytes()).expect("it was looked up");
        assert_eq!(user(response), Some(format!("turn-{turn}")));
    }
    assert_eq!(running.provider.calls(IDP, "/introspect"), 500);
    running.finish(&tokens.iter().map(String::as_str).collect::<Vec<_>>());
}

fn start(workers: u32) -> Running {
    let provider = Provider::spawn().unwrap();
    provider.answer(IDP, "/introspect", [active("user-1")]);
    Running::start(workers, provider, &[("opaque", introspection(json!({})))])
}

fn active(subject: &str) -> Answer {
    Answer::json(&json!({"active": true, "sub": subject, "aud": "api"}))
}

const TOKEN: &str = "2YotnFZFEjr1zCsicMWpAA";
