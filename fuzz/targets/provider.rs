//! Whatever a provider answers, it is read or refused; nobody passes unless it says so, and nothing is left waiting.
#![no_main]

use std::time::Duration;

use gatepost::{
    config,
    engine::{Engine, Head, RequestId, UnixTime, Verdict},
    host::NoHost,
    provider::CallAnswer,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    for path in ["/keys", "/discovery", "/opaque", "/listed"] {
        let mut engine = Engine::new(config::load(CONFIGURATION.as_bytes(), &|_| None).unwrap(), 7);
        let mut now = UnixTime::from_secs(1_800_000_000);
        let mut verdict = engine.decide(RequestId(1), &head(path), now, &mut NoHost).verdict;
        assert_eq!(verdict, Verdict::Wait);
        let mut calls = engine.tick(now, &mut NoHost).calls;
        while let Some(call) = calls.pop() {
            let headers = vec![(":status".to_owned(), b"200".to_vec()), ("cache-control".to_owned(), body.to_vec())];
            let answer = CallAnswer { headers, body: body.to_vec() };
            calls.extend(engine.answer(call.id, Ok(answer), now, &mut NoHost).calls);
        }
        while verdict == Verdict::Wait {
            now = now.saturating_add(Duration::from_secs(10));
            engine.tick(now, &mut NoHost);
            let ready = engine.next_ready().and_then(|id| engine.resume(id, now, &mut NoHost));
            verdict = ready.map_or(Verdict::Wait, |decision| decision.verdict);
        }
        assert_eq!(engine.waiting(), 0);
        if matches!(verdict, Verdict::Forward(_)) {
            let said: serde_json::Value = serde_json::from_slice(body).unwrap();
            match path {
                "/opaque" => assert_eq!(said["active"], true),
                // Of two members with one name this reader takes the last; a list with such an entry is refused.
                "/listed" => {
                    for entry in said["revoked"].as_array().unwrap() {
                        assert!(entry["iss"].is_string() && entry["value"].is_string());
                        // The token does not say when it was issued: whatever `before` is.
                        assert!(entry["iss"] != "i" || entry["value"] != "x");
                    }
                }
                other => panic!("{other} is forwarded without a key"),
            }
        }
    }
});

fn head(path: &str) -> Head {
    let token = match path {
        "/opaque" => "opaque",
        "/listed" => SIGNED,
        _ => "eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.e30.AAAA",
    };
    let headers = [(":method", "GET"), (":path", path), (":authority", "h"), ("authorization", &format!("Bearer {token}"))];
    Head { headers: headers.into_iter().collect(), end_of_stream: true }
}

/// `{"iss":"i","jti":"x","exp":1900000000}`, by the secret of `listed`.
const SIGNED: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJpIiwianRpIjoieCIsImV4cCI6MTkwMDAwMDAwMH0.Djwy6HDM8yYnCNXXEzCSHknc5oqEwqMtTVLCfrcF6GE";

const CONFIGURATION: &str = r#"{
    "authenticators": {
        "keys": {"type": "jwt", "issuer": "*", "audiences": "*", "jwks": {"remote": {"url": "https://idp/k", "cluster": "idp"}}},
        "discovery": {"type": "jwt", "issuer": "*", "audiences": "*", "jwks": {"discovery": {"issuer": "https://idp", "cluster": "idp", "jwks_cluster": "keys"}}},
        "listed": {"type": "jwt", "issuer": "i", "audiences": "*", "secret": "0123456789abcdef0123456789abcdef",
                   "revocation": {"url": "https://idp/r", "cluster": "idp"}},
        "opaque": {"type": "introspection", "url": "https://idp/i", "cluster": "idp", "client_id": "c", "client_secret": "s", "audiences": "*"}
    },
    "paths": [{"method": "GET", "path": "/keys", "auth": "keys"}, {"method": "GET", "path": "/discovery", "auth": "discovery"},
              {"method": "GET", "path": "/listed", "auth": "listed"}, {"method": "GET", "path": "/opaque", "auth": "opaque"}]
}"#;
