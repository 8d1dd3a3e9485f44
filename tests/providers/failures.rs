//! Every way in which a provider fails, one after the other: the caller is told 503 and when to come back, never 401, and
//! nothing is left behind.

use std::{thread, time::Duration};

use serde_json::{Value, json};
use wasm_test_harness::{
    mint,
    provider::{Answer, Failure, Provider},
};

use super::gateway::{IDP, Running, introspection, is_unavailable, remote, request, token, until, user, with_keys};

#[test]
fn no_failure_of_a_key_set_lets_anybody_through_or_leaves_anything_behind() {
    let provider = Provider::spawn().unwrap();
    let mut listeners: Vec<(&str, Value)> = Vec::new();
    for (name, answer) in failures().into_iter().chain([("empty", Answer::json(&json!({"keys": []})))]) {
        let authority = format!("{name}.test");
        provider.answer(&authority, "/keys", [answer]);
        hold(&provider, name, "/keys");
        let url = format!("http://{authority}/keys");
        listeners.push((name, remote(json!({"url": url, "timeout": timeout_of(name)}))));
    }
    for cluster in UNREACHABLE {
        listeners.push((cluster, remote(json!({"cluster": cluster}))));
    }
    expect_unavailable(Running::start(2, provider, &listeners), &listeners);
}

#[test]
fn no_failure_of_a_discovery_lets_anybody_through_or_leaves_anything_behind() {
    let provider = Provider::spawn().unwrap();
    let mut listeners: Vec<(&str, Value)> = Vec::new();
    let discovery = |name: &str, cluster: &str| {
        let issuer = format!("http://{name}.test");
        with_keys(json!({"discovery": {"issuer": issuer, "cluster": cluster, "timeout": timeout_of(name)}}))
    };
    let document =
        |name: &str| json!({"issuer": format!("http://{name}.test"), "jwks_uri": format!("http://{name}.test/keys")});
    let well_known = "/.well-known/openid-configuration";
    for (name, answer) in failures() {
        // Half of them fail with the document, half with the keys that it names.
        let authority = format!("{name}.test");
        if listeners.len().is_multiple_of(2) {
            provider.answer(&authority, well_known, [answer]);
            hold(&provider, name, well_known);
        } else {
            provider.answer(&authority, well_known, [Answer::json(&document(name))]);
            provider.answer(&authority, "/keys", [answer]);
            hold(&provider, name, "/keys");
        }
        listeners.push((name, discovery(name, "idp")));
    }
    for (name, patch) in [
        ("wrong-issuer", json!({"issuer": "http://wrong-issuer.test/"})),
        ("other-host", json!({"jwks_uri": "http://elsewhere.test/keys"})),
        ("no-keys", json!({"jwks_uri": null})),
    ] {
        let mut document = document(name);
        document.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        provider.answer(&format!("{name}.test"), well_known, [Answer::json(&document)]);
        provider.answer(&format!("{name}.test"), "/keys", [Answer::keys(&["es1"])]);
        hold(&provider, name, well_known);
        listeners.push((name, discovery(name, "idp")));
    }
    provider.answer("elsewhere.test", "/keys", [Answer::keys(&["es1"])]);
    for cluster in UNREACHABLE {
        listeners.push((cluster, discovery(cluster, cluster)));
    }
    let provider = expect_unavailable(Running::start(2, provider, &listeners), &listeners);
    for (authority, path) in [("elsewhere.test", "/keys"), ("wrong-issuer.test", "/keys"), ("no-keys.test", "/keys")] {
        assert_eq!(
            provider.calls(authority, path),
            0,
            "a document that is not the issuer's leads nowhere: {authority}"
        );
    }
}

#[test]
fn no_failure_of_introspection_lets_anybody_through_or_leaves_anything_behind() {
    let provider = Provider::spawn().unwrap();
    let mut listeners = vec![("idp", introspection(json!({"timeout": TIMEOUT})))];
    for cluster in UNREACHABLE {
        listeners.push((cluster, introspection(json!({"cluster": cluster, "timeout": TIMEOUT}))));
    }
    let running = Running::start(2, provider, &listeners);
    for (listener, _) in &listeners[1..] {
        let outcomes = running.burst(listener, waiters(TOKEN), || {});
        assert!(outcomes.responses().all(is_unavailable), "{listener}: {:?}", outcomes.tally());
        running.until_idle();
    }
    for (name, answer) in failures() {
        running.provider.answer(IDP, "/introspect", [answer]);
        let outcomes = running.burst("idp", waiters(TOKEN), || {});
        assert!(outcomes.responses().all(is_unavailable), "{name}: {:?}", outcomes.tally());
        running.until_idle();
    }
    // None of them is remembered, and none is a wrong token's.
    running.provider.answer(
        IDP,
        "/introspect",
        [Answer::json(&json!({"active": true, "sub": "user-1", "aud": "api"}))],
    );
    assert_eq!(user(&running.get("idp", "/orders/7", TOKEN)).as_deref(), Some("user-1"));
    running.provider.answer(IDP, "/introspect", [Answer::json(&json!({"active": "true"}))]);
    assert_eq!(running.get("idp", "/orders/7", "another-2YotnFZFEjr1zCsicMWpAA").status, 401);
    running.finish(&[TOKEN]);
}

#[test]
fn a_provider_that_flaps_serves_as_soon_as_it_answers_once() {
    let provider = Provider::spawn().unwrap();
    let bad = || Answer::failing(Failure::Reset);
    provider.answer(
        IDP,
        "/jwks",
        [bad(), Answer::keys(&["es1"]), bad(), Answer::status(502), Answer::keys(&["es1"]), bad()],
    );
    let running = Running::start(2, provider, &[("users", remote(json!({"refresh": "1s", "timeout": TIMEOUT})))]);
    let good = token("es1", "user-1");
    until("it answers", || {
        let response = running.get("users", "/orders/7", &good);
        assert!(user(&response).is_some() || is_unavailable(&response), "{response:?}");
        response.status == 200
    });
    until("it has failed again", || {
        assert_eq!(running.get("users", "/orders/7", &good).status, 200);
        thread::sleep(Duration::from_millis(20));
        running.provider.calls(IDP, "/jwks") >= 6
    });
    running.finish(&[&good]);
}

#[test]
fn a_key_set_with_one_broken_key_serves_with_the_others() {
    let mut keys = mint::jwks(&["es1", "rs1", "weak1024"]).unwrap();
    let list = keys["keys"].as_array_mut().unwrap();
    list.push(json!({"kty": "EC", "crv": "P-256", "kid": "broken", "x": "AA", "y": "not base64url!"}));
    list.push(json!("no object"));
    let provider = Provider::spawn().unwrap();
    provider.answer(IDP, "/jwks", [Answer::json(&keys)]);
    let running = Running::start(2, provider, &[("users", remote(json!({})))]);
    let tokens = ["es1", "rs1", "weak1024"].map(|key| token(key, "user-1"));
    let statuses = tokens.each_ref().map(|token| running.get("users", "/orders/7", token).status);
    assert_eq!(statuses, [200, 200, 401]);
    running.finish(&tokens.each_ref().map(String::as_str));
}

#[test]
fn clients_that_go_away_while_they_wait_leave_nothing_behind() {
    let provider = Provider::spawn().unwrap();
    provider.answer(IDP, "/jwks", [Answer::keys(&["es1"])]);
    // The look-ups outlive their callers: who comes next may get the answer that was held back.
    let active = json!({"active": true, "sub": "user-2", "aud": "api"});
    provider.answer(IDP, "/introspect", [Answer::json(&active)]);
    provider.hold(IDP, "/jwks");
    provider.hold(IDP, "/introspect");
    let listeners = [("users", remote(json!({}))), ("opaque", introspection(json!({})))];
    let running = Running::start(2, provider, &listeners);
    let good = token("es1", "user-1");
    let held: Vec<_> = (0..100)
        .flat_map(|_| {
            [running.send_and_hold("users", "/orders/7", &good), running.send_and_hold("opaque", "/orders/7", TOKEN)]
        })
        .collect();
    running.until_waiting(200);
    drop(held);
    running.until_waiting(0);
    assert_eq!(running.stat("http.gatepost.downstream_rq_active"), 0);
    running.provider.release(IDP, "/jwks");
    running.provider.release(IDP, "/introspect");
    assert_eq!(user(&running.get("users", "/orders/7", &good)).as_deref(), Some("user-1"));
    assert_eq!(user(&running.get("opaque", "/orders/7", TOKEN)).as_deref(), Some("user-2"));
    running.finish(&[&good, TOKEN]);
}

/// What each provider answers instead of what it should.
fn failures() -> Vec<(&'static str, Answer)> {
    vec![
        ("timeout", Answer::failing(Failure::Timeout)),
        ("slow", Answer::keys(&["es1"]).dripping(Duration::from_millis(200))),
        ("error", Answer::status(500)),
        ("forbidden", Answer::json(&json!({"error": "invalid_client"})).with_status(401)),
        ("redirect", Answer::status(302).header("location", "http://idp.test/jwks")),
        ("refused", Answer::failing(Failure::Refused)),
        ("reset", Answer::failing(Failure::Reset)),
        ("truncated", Answer { failure: Some(Failure::Truncated), ..Answer::keys(&["es1"]) }),
        ("huge", Answer::text(vec![b' '; 10 << 20])),
        ("html", Answer::text("<!doctype html><title>Sign in</title>").header("content-type", "text/html")),
        ("array", Answer::json(&json!([{"keys": []}]))),
        ("nothing", Answer::text("")),
    ]
}

/// Holds a provider's answer back, unless it is late by itself.
fn hold(provider: &Provider, name: &str, path: &str) {
    if !LATE.contains(&name) {
        provider.hold(&format!("{name}.test"), path);
    }
}

/// Every listener's callers are told to come back, whether they wait for the answer or come later.
fn expect_unavailable(running: Running, listeners: &[(&str, Value)]) -> Provider {
    let good = token("es1", "user-1");
    for (listener, _) in listeners {
        let outcomes = running.burst(listener, waiters(&good), || {
            if !LATE.contains(listener) && !UNREACHABLE.contains(listener) {
                running.until_waiting(20);
                for path in ["/keys", "/.well-known/openid-configuration"] {
                    running.provider.release(&format!("{listener}.test"), path);
                }
            }
        });
        assert!(outcomes.responses().all(is_unavailable), "{listener}: {:?}", outcomes.tally());
        running.until_waiting(0);
    }
    for (listener, _) in listeners {
        let response = running.get(listener, "/orders/7", &good);
        assert!(is_unavailable(&response), "{listener}: {response:?}");
    }
    running.finish(&[&good])
}

fn timeout_of(name: &str) -> &'static str {
    if LATE.contains(&name) { TIMEOUT } else { "60s" }
}

fn waiters(token: &str) -> Vec<wasm_test_harness::client::burst::Request> {
    (0..20).map(|_| request("/orders/7", token)).collect()
}

/// Failures that the time-out tells.
const LATE: [&str; 2] = ["timeout", "slow"];
/// Clusters whose provider is down, that have no hosts, and that there are none of.
const UNREACHABLE: [&str; 3] = ["down", "nowhere", "unknown"];
const TIMEOUT: &str = "500ms";
const TOKEN: &str = "opaque-2YotnFZFEjr1zCsicMWpAA";
