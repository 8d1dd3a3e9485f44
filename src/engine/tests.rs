mod providers;
mod records;
mod revocation;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::*;
use crate::{config, host::NoHost, test::test};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn engine(members: &str) -> Engine {
    let text = format!(
        r#"{{"authorizer": {{"type": "jwt", "issuer": "i", "audiences": ["a"], "secret": "{SECRET}"}}, {members}}}"#
    );
    let gateway = config::load(text.as_bytes(), &|_| None);
    Engine::new(gateway.unwrap_or_else(|errors| panic!("{errors:?}")), 7)
}

fn token(claims: &str) -> String {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let claims = format!(r#"{{"iss": "i", "aud": "a", "exp": 1800000060, {claims}}}"#);
    let input = format!("{}.{}", encode(br#"{"alg":"HS256"}"#), encode(claims.as_bytes()));
    let mut hmac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    hmac.update(input.as_bytes());
    format!("{input}.{}", encode(&hmac.finalize().into_bytes()))
}

fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> Head {
    let line = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "api.example.com")];
    let all = line.iter().chain(headers);
    let headers = all.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
    Head { headers, end_of_stream: true }
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// The headers that the service receives, or the status and reason of the denial.
fn decide(engine: &mut Engine, head: &Head) -> Result<Vec<(String, String)>, (u16, Reason)> {
    let decision = engine.decide(RequestId(1), head, NOW, &mut NoHost);
    let edits = match decision.verdict {
        Verdict::Forward(edits) => edits,
        Verdict::Deny(answer) => return Err((answer.status, decision.record.reason.unwrap())),
        Verdict::Wait => panic!("it waits"),
    };
    let mut headers = head.headers.to_vec();
    for edit in edits {
        match edit {
            HeaderEdit::Remove(name) => headers.retain(|(other, _)| **other != *name),
            HeaderEdit::Set(name, value) => match headers.iter_mut().find(|(other, _)| **other == *name) {
                Some((_, old)) => *old = value.to_vec(),
                None => headers.push((name.to_string(), value.to_vec())),
            },
        }
    }
    let text = |(name, value): (String, Vec<u8>)| (name, String::from_utf8(value).unwrap());
    Ok(headers.into_iter().map(text).collect())
}

fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
}

const SEED: &str = r#""paths": [{
    "method": "GET", "path": "/proxy/{.+}", "auth": true,
    "integration": {"type": "http_proxy", "server": "upstream"},
    "mapping": {"headers": {"x-user-id": "$request.jwt.sub", "x-region": "$config.region"},
                "query": {"actor": "$request.jwt.sub"}},
    "variables": {"region": "eu-west-1"}
}]"#;

test!(the_seed_example_is_forwarded_with_verified_identity, {
    let token = bearer(&token(r#""sub": "user-1""#));
    let forged = [("authorization", token.as_str()), ("x-user-id", "admin"), ("x_user_id", "admin"), ("accept", "*/*")];
    let head = head("GET", "/proxy/orders/7?source=web&%61ctor=admin", &forged);
    let headers = decide(&mut engine(SEED), &head).unwrap();
    assert_eq!(value(&headers, ":path"), Some("/orders/7?source=web&actor=user-1"));
    assert_eq!(value(&headers, "x-user-id"), Some("user-1"));
    assert_eq!(value(&headers, "x-region"), Some("eu-west-1"));
    assert_eq!(value(&headers, "x-gatepost-cluster"), Some("upstream"));
    assert_eq!(value(&headers, "accept"), Some("*/*"));
    assert_eq!((value(&headers, "authorization"), value(&headers, "x_user_id")), (None, None));
});

test!(a_prefix_alone_becomes_the_root, {
    let token = bearer(&token(r#""sub": "u""#));
    for (path, forwarded) in [("/proxy", "/?actor=u"), ("/proxy/", "/?actor=u"), ("/proxy/?", "/?actor=u")] {
        let headers = decide(&mut engine(SEED), &head("GET", path, &[("authorization", &token)])).unwrap();
        assert_eq!(value(&headers, ":path"), Some(forwarded), "{path}");
    }
});

test!(denials_say_what_the_contract_says, {
    let ambiguous_claims = bearer(&token(r#""sub": "u", "exp": 1900000000"#));
    let mut engine = engine(SEED);
    for (method, path, authorization, expected) in [
        ("GET", "/proxy/x", "", (401, Reason::MissingCredential)),
        ("GET", "/proxy/x", "Bearer", (401, Reason::MalformedCredential)),
        ("GET", "/proxy/x", "Bearer a.b.c", (401, Reason::Token(crate::jose::TokenError::Malformed))),
        ("GET", "/proxy/x", &ambiguous_claims, (401, Reason::Token(crate::jose::TokenError::Malformed))),
        ("POST", "/proxy/x", "", (405, Reason::MethodNotAllowed)),
        ("GET", "/other", "", (404, Reason::NoRoute)),
        ("GET", "/proxy/../x", "", (400, Reason::BadPath)),
        ("GET", "/proxy/a%2fb", "", (400, Reason::BadPath)),
        ("GET", "*", "", (400, Reason::BadPath)),
    ] {
        let denied = decide(&mut engine, &head(method, path, &[("authorization", authorization)]));
        assert_eq!(denied.unwrap_err(), expected, "{method} {path} {authorization}");
    }
});

test!(a_cached_token_expires_to_the_second, {
    let mut engine = engine(SEED);
    let token = bearer(&token(r#""sub": "u""#));
    let head = head("GET", "/proxy/x", &[("authorization", &token)]);
    let status = |engine: &mut Engine, now| match engine
        .decide(RequestId(1), &head, UnixTime::from_secs(now), &mut NoHost)
        .verdict
    {
        Verdict::Forward(_) => 200,
        Verdict::Deny(answer) => answer.status,
        Verdict::Wait => panic!("it waits"),
    };
    assert_eq!(status(&mut engine, 1_800_000_000), 200);
    assert_eq!(engine.tokens[0].verified.len(), 1);
    assert_eq!(status(&mut engine, 1_800_000_059), 200);
    // Within the clock skew it is good, and verified anew.
    assert_eq!(status(&mut engine, 1_800_000_119), 200);
    assert_eq!(engine.tokens[0].verified.len(), 0);
    assert_eq!(status(&mut engine, 1_800_000_120), 401);
});

test!(a_lookalike_of_a_protected_path_is_not_found, {
    let mut engine = engine(
        r#""paths": [{"method": "GET", "path": "/private", "auth": true}, {"method": "ANY", "path": "/{.+}", "auth": false}]"#,
    );
    for path in ["/private/", "/Private", "/PRIVATE/"] {
        let denied = decide(&mut engine, &head("GET", path, &[])).unwrap_err();
        assert_eq!(denied, (404, Reason::LookalikePath), "{path}");
    }
    assert!(decide(&mut engine, &head("GET", "/privates", &[])).is_ok());
    assert_eq!(decide(&mut engine, &head("POST", "/private", &[])).unwrap_err().0, 405);
    assert_eq!(decide(&mut engine, &head("POST", "/private/", &[])).unwrap_err().0, 404);
});

test!(shadow_denies_nothing_and_maps_nothing, {
    let mut engine = engine(&format!(r#""mode": "shadow", {SEED}"#));
    let head = head("GET", "/proxy/x?actor=admin", &[("authorization", "Bearer bad"), ("x-user-id", "admin")]);
    let decision = engine.decide(RequestId(1), &head, NOW, &mut NoHost);
    assert!(decision.record.shadow && decision.record.reason.is_some());
    let headers = decide(&mut engine, &head).unwrap();
    assert_eq!(value(&headers, ":path"), Some("/x"));
    assert_eq!(value(&headers, "authorization"), Some("Bearer bad"));
    assert_eq!((value(&headers, "x-user-id"), value(&headers, "x-region")), (None, None));
});

test!(identity_is_stripped_from_trailers, {
    let trailers = [("x-user-id", "a"), ("X_User_Id", "b"), ("grpc-status", "0"), ("x-gatepost-a", "c")];
    let trailers = trailers.into_iter().collect();
    let removed = ["x-user-id", "X_User_Id", "x-gatepost-a"].map(|name| HeaderEdit::Remove(name.into()));
    assert_eq!(engine(SEED).trailers(Some(0), &trailers), removed);
});

test!(each_of_many_forged_headers_is_removed_once_and_soon, {
    // Long names of one length that differ at the end: nothing is to be compared with all that went before.
    let name = |index: usize| format!("x-user-{}{index:05}", "n".repeat(1000));
    let names: Vec<String> = (0..20_000).map(name).collect();
    let trailers: Headers = names.iter().chain(&names).map(|name| (name, "v")).collect();
    let engine = engine(r#""identity_headers": ["x-user-*"], "unmatched": "forward""#);
    #[cfg(not(target_arch = "wasm32"))]
    let begin = std::time::Instant::now();
    let removed = engine.trailers(None, &trailers);
    #[cfg(not(target_arch = "wasm32"))]
    assert!(begin.elapsed() < std::time::Duration::from_secs(2), "{:?}", begin.elapsed());
    let expected = names.iter().map(|name| HeaderEdit::Remove(name.as_str().into()));
    assert!(removed.into_iter().eq(expected));
});

test!(a_nominated_identity_header_and_foreign_upgrades_are_refused, {
    let mut engine = engine(SEED);
    for (name, value, reason) in [
        ("connection", "close, X_User_Id", Reason::NominatedIdentity),
        ("connection", "x-gatepost-cluster", Reason::NominatedIdentity),
        ("upgrade", "h2c", Reason::UnsupportedUpgrade),
        ("upgrade", "websocket, h2c", Reason::UnsupportedUpgrade),
    ] {
        let denied = decide(&mut engine, &head("GET", "/proxy/x", &[(name, value)]));
        assert_eq!(denied.unwrap_err(), (400, reason), "{value}");
    }
});

test!(a_true_preflight_passes_without_credential_and_identity, {
    let mut engine = engine(SEED);
    let preflight = [("origin", "https://a"), ("access-control-request-method", "GET"), ("authorization", "Bearer x")];
    let headers = decide(&mut engine, &head("OPTIONS", "/proxy/x", &preflight)).unwrap();
    assert_eq!(value(&headers, ":path"), Some("/x"));
    assert_eq!((value(&headers, "x-region"), value(&headers, "authorization")), (None, None));
    let other = [("origin", "https://a"), ("access-control-request-method", "PUT")];
    assert_eq!(decide(&mut engine, &head("OPTIONS", "/proxy/x", &other)).unwrap_err().0, 405);
});

test!(what_is_only_explained_counts_nowhere, {
    let limited =
        r#""paths": [{"method": "GET", "path": "/x", "auth": false, "rate_limit": {"requests": 1, "per": "1h"}}]"#;
    let mut engine = engine(limited);
    let request = head("GET", "/x", &[]);
    let limit = |engine: &mut Engine| {
        let (_, steps) = engine.explain(&request, b"", NOW, &mut NoHost);
        steps.into_iter().find(|step| matches!(step, Step::RateLimit { .. }))
    };
    for _ in 0..3 {
        assert_eq!(limit(&mut engine), Some(Step::RateLimit { name: "route", exceeded: false }));
    }
    assert!(decide(&mut engine, &request).is_ok());
    assert_eq!(limit(&mut engine), Some(Step::RateLimit { name: "route", exceeded: true }));
    assert_eq!(decide(&mut engine, &request).unwrap_err().0, 429);
});

test!(steps_tell_what_happened, {
    let mut engine = engine(SEED);
    let token = bearer(&token(r#""sub": "u", "roles": ["r"]"#));
    let (_, steps) = engine.explain(&head("GET", "/proxy/%78", &[("authorization", &token)]), b"", NOW, &mut NoHost);
    let authenticator = || "default".to_owned();
    assert_eq!(
        steps,
        [
            Step::Path("/proxy/x".to_owned()),
            Step::Host("api.example.com".to_owned()),
            Step::Route("paths[0] /proxy/{.+}".to_owned()),
            Step::Authenticator { name: authenticator(), refused: None },
            Step::Verified { authenticator: authenticator(), roles: 1, scopes: 0 },
        ]
    );
});
