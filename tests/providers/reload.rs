//! Configurations that come and go while requests wait and calls run.

use serde_json::json;
use wasm_test_harness::provider::{Answer, Provider};

use super::gateway::{IDP, Running, introspection, remote, request, token, until, user};

#[test]
fn a_listener_that_goes_while_requests_wait_leaves_nothing_behind_and_hands_its_fetch_over() {
    let provider = Provider::spawn().unwrap();
    provider.answer(IDP, "/jwks", [Answer::keys(&["es1"])]);
    provider.answer(IDP, "/introspect", [Answer::json(&json!({"active": true, "sub": "user-2", "aud": "api"}))]);
    provider.hold(IDP, "/jwks");
    provider.hold(IDP, "/introspect");
    let anchor = ("anchor", remote(json!({"cluster": "nowhere", "url": "http://anchor.test/jwks"})));
    let listeners = [anchor.clone(), ("users", remote(json!({}))), ("opaque", introspection(json!({})))];
    let mut running = Running::start(2, provider, &listeners);
    let good = token("es1", "user-1");
    for _ in 0..3 {
        let held: Vec<_> = (0..50)
            .flat_map(|_| {
                [
                    running.send_and_hold("users", "/orders/7", &good),
                    running.send_and_hold("opaque", "/orders/7", TOKEN),
                ]
            })
            .collect();
        running.until_waiting(100);
        running.replace(std::slice::from_ref(&anchor));
        running.until_waiting(0);
        drop(held);
        running.replace(&listeners);
    }
    running.provider.release(IDP, "/jwks");
    running.provider.release(IDP, "/introspect");
    // The key set is the same, and so is its place in the shared data: who fetched it is gone.
    until("the keys are fetched by another", || {
        user(&running.get("users", "/orders/7", &good)).as_deref() == Some("user-1")
    });
    assert_eq!(user(&running.get("opaque", "/orders/7", TOKEN)).as_deref(), Some("user-2"));
    running.finish(&[&good, TOKEN]);
}

#[test]
fn listeners_with_the_same_keys_share_one_fetch() {
    let provider = Provider::spawn().unwrap();
    provider.answer(IDP, "/jwks", [Answer::keys(&["es1"])]);
    provider.hold(IDP, "/jwks");
    let listeners = ["one", "two", "three"].map(|name| (name, remote(json!({}))));
    let mut running = Running::start(2, provider, &listeners);
    let good = token("es1", "user-1");
    for (name, _) in &listeners {
        let outcomes = running.burst(name, (0..20).map(|_| request("/orders/7", &good)).collect(), || {
            if *name == "one" {
                running.until_waiting(20);
                running.provider.release(IDP, "/jwks");
            }
        });
        assert!(outcomes.responses().all(|response| user(response).is_some()), "{name}: {:?}", outcomes.tally());
    }
    // One that comes later takes the keys that there are.
    let later = [listeners.as_slice(), &[("later", remote(json!({})))]].concat();
    running.replace(&later);
    assert_eq!(running.get("later", "/orders/7", &good).status, 200);
    assert_eq!(running.provider.calls(IDP, "/jwks"), 1);
    running.finish(&[&good]);
}

const TOKEN: &str = "opaque-2YotnFZFEjr1zCsicMWpAA";
