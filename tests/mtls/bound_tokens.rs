//! Tokens that are good with one certificate alone (RFC 8705 §3).

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use wasm_test_harness::{
    envoy::Endpoint,
    provider::{Answer, Provider},
};

use super::{
    authority::{Authority, Issued},
    gateway::{Client, OPTIONAL, Running, Tls, caller, denied, route, token, users},
};

#[test]
fn a_bound_token_is_good_with_its_certificate_alone() {
    let untrusted = Tls { accept_untrusted: true, ..OPTIONAL };
    let configuration = json!({"authorizer": users(), "paths": [route("/users", json!(true))]});
    let running = Running::start(&configuration, &[("optional", OPTIONAL), ("untrusted", untrusted)]);
    let (own, other) = (running.trusted.issue("own", &[]), running.trusted.issue("own", &[]));
    let bound = token(json!({"cnf": {"x5t#S256": thumbprint(&own)}}));
    for http2 in [false, true] {
        let get = |listener: &str, issued, token: &str| {
            running.get(listener, "/users", &Client { issued, token: Some(token.to_owned()), http2 })
        };
        // Twice each: the first time it is verified, the second time it is known.
        for _ in 0..2 {
            assert_eq!(get("optional", Some(&own), &bound), caller("user-1"));
            assert_eq!(get("optional", Some(&other), &bound), denied("invalid_token"));
            assert_eq!(get("optional", None, &bound), denied("invalid_token"));
        }
        assert_eq!(get("optional", Some(&other), &token(json!({}))), caller("user-1"));
        let more = token(json!({"cnf": {"x5t#S256": thumbprint(&own), "jkt": "x"}}));
        assert_eq!(get("optional", Some(&own), &more), denied("invalid_token"));
        // RFC 8705 §2.2, §6.2: a certificate that its client has signed itself will do, where Envoy lets it through.
        let unknown = Authority::new("stranger").issue("own", &[]);
        let bound = token(json!({"cnf": {"x5t#S256": thumbprint(&unknown)}}));
        assert_eq!(get("untrusted", Some(&unknown), &bound), caller("user-1"));
        assert_eq!(get("untrusted", Some(&own), &bound), denied("invalid_token"));
    }
    assert_eq!(running.envoy.traps(), Vec::<String>::new());
}

// A request that waits for its provider is decided in the root's callback, and still by its own connection.
#[test]
fn an_introspected_token_is_bound_to_the_connection_of_each_request() {
    let provider = Provider::spawn().unwrap();
    let configuration = json!({
        "authorizer": {
            "type": "introspection",
            "url": "http://idp.test/introspect",
            "cluster": "idp",
            "client_id": "gateway",
            "client_secret": "hush-hush-hush",
            "audiences": ["api"],
            "timeout": "5s",
        },
        "paths": [route("/users", json!(true))],
    });
    let clusters = BTreeMap::from([("idp".to_owned(), Endpoint::At(provider.address()))]);
    let running = Running::start_with(&configuration, &[("optional", OPTIONAL)], clusters);
    let (own, other) = (running.trusted.issue("own", &[]), running.trusted.issue("own", &[]));
    let active = json!({"active": true, "aud": "api", "sub": "user-1", "cnf": {"x5t#S256": thumbprint(&own)}});
    provider.answer("idp.test", "/introspect", [Answer::json(&active)]);
    let get = |issued, token: &str| {
        running.get("optional", "/users", &Client { issued, token: Some(token.to_owned()), http2: false })
    };
    // Each token is looked up, by a request that is to be let through and by ones that are not, and then known.
    for (token, first) in [("t1", Some(&own)), ("t2", Some(&other)), ("t3", None)] {
        for issued in [first, Some(&own), Some(&other), None] {
            let is_own = issued.is_some_and(|issued| issued.sha256() == own.sha256());
            let expected = if is_own { caller("user-1") } else { denied("invalid_token") };
            assert_eq!(get(issued, token), expected, "{token}");
        }
    }
    assert_eq!(provider.calls("idp.test", "/introspect"), 3);
    // Three with different certificates wait for one answer together.
    provider.hold("idp.test", "/introspect");
    thread::scope(|scope| {
        let waiting = [Some(&own), Some(&other), None].map(|issued| scope.spawn(move || get(issued, "t4")));
        let end = Instant::now() + Duration::from_secs(4);
        while running.envoy.stat("wasmcustom.gatepost.waiting") != Some(3) {
            assert!(Instant::now() < end, "they do not wait");
            thread::sleep(Duration::from_millis(10));
        }
        provider.release("idp.test", "/introspect");
        let outcomes = waiting.map(|request| request.join().unwrap());
        assert_eq!(outcomes, [caller("user-1"), denied("invalid_token"), denied("invalid_token")]);
    });
    assert_eq!(provider.calls("idp.test", "/introspect"), 4);
    assert_eq!(running.envoy.traps(), Vec::<String>::new());
}

fn thumbprint(issued: &Issued) -> String {
    URL_SAFE_NO_PAD.encode(issued.sha256())
}
