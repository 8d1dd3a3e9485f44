//! Audit lines and access logs: one line for each decision, in the form that is documented.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wasm_test_harness::provider::{Answer, Provider};

use super::gateway::{API_KEY, IDP, Running, bearer, configuration, read, token, until};

#[test]
fn every_decision_has_one_line_and_the_access_log_says_the_same() {
    let provider = Provider::spawn().unwrap();
    provider.answer(IDP, "/jwks", [Answer::keys(&["es1"])]);
    provider.answer(IDP, "/revoked", [Answer::json(&json!({"revoked": []}))]);
    let everything = configuration(json!({"audit": {"denied": true, "allowed": true}}));
    let running = Running::start(provider, "info", &[("gateway", everything)]);
    let user = bearer(&token(json!({})));
    running.get("/orders/7", &[("authorization", &user)], 200);
    running.get("/admin/7?token=hush", &[("authorization", &user)], 403);
    running.get("/keys/7", &[("x-api-key", API_KEY)], 200);
    running.get("/shadow/7", &[("authorization", &bearer(&token(json!({"exp": "@now-5m"}))))], 200);
    running.get("/health", &[], 200);
    running.get("/unknown", &[], 404);
    // printf '23:https://idp.example.comuser-1' | sha256sum
    let user = "id:users:3bf41d8abe18e6b5b5988bf11fbca7d12d3d76a2c9b41db59203c7acec9dd416";
    let expected = [
        json!(["GET /orders/{id}", "users", "allowed", null, user, "es1"]),
        json!(["GET /admin/{.+}", "users", "denied", "insufficient_role", user, "es1"]),
        json!(["GET,POST /keys/{.+}", "machines", "allowed", null, "key:machines:ci", "ci"]),
        json!(["GET /shadow/{.+}", "users", "shadow_denied", "expired", null, null]),
        json!(["GET /health", null, "allowed", null, null, null]),
        json!([null, null, "denied", "no_route", null, null]),
    ];
    until("all lines are there", || running.envoy.file("access.log").lines().count() == expected.len());
    let lines = running.audit();
    let told: Vec<Value> = lines
        .iter()
        .map(|line| ["route", "authenticator", "outcome", "reason", "subject", "key_id"].map(|name| line[name].clone()))
        .map(|values| json!(values))
        .collect();
    assert_eq!(told, expected);
    let schema: Value = serde_json::from_str(&read("docs/audit.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for line in &lines {
        assert!(schema.is_valid(line), "{line}: {:?}", schema.iter_errors(line).collect::<Vec<_>>());
    }
    let log = running.envoy.file("access.log");
    for (line, entry) in lines.iter().zip(log.lines()) {
        let (request, facts) = entry.split_once(" ms ").unwrap_or_else(|| panic!("{entry}"));
        assert!(!request.contains('?'), "{entry}");
        let facts: BTreeMap<&str, &str> = facts.split(' ').filter_map(|fact| fact.split_once('=')).collect();
        for name in ["authenticator", "subject", "reason"] {
            assert_eq!(facts[name], line[name].as_str().unwrap_or("-"), "{name} of {entry}");
        }
        assert_eq!(facts["request"], line["request_id"].as_str().unwrap(), "{entry}");
    }
    assert!(running.envoy.traps().is_empty());
}

#[test]
fn the_schema_takes_no_line_of_another_form() {
    let schema: Value = serde_json::from_str(&read("docs/audit.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let good = json!({
        "time": "2027-01-15T08:00:00.123Z", "route": null, "authenticator": null, "outcome": "denied",
        "reason": "no_route", "subject": null, "key_id": null, "request_id": null, "latency_ms": 0.042,
    });
    assert!(schema.is_valid(&good));
    for (name, value) in [
        ("time", json!("yesterday")),
        ("outcome", json!("maybe")),
        ("reason", json!("no such reason")),
        ("subject", json!("user@example.com")),
        ("latency_ms", json!("1")),
        ("token", json!("eyJ")),
    ] {
        let mut line = good.clone();
        line[name] = value;
        assert!(!schema.is_valid(&line), "{line}");
    }
    for reason in gatepost::deny::Reason::all() {
        let mut line = good.clone();
        line["reason"] = json!(reason.label());
        assert!(schema.is_valid(&line), "{line}");
    }
}
