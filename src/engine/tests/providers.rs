use std::time::Duration;

use super::*;
use crate::provider::{Call, CallAnswer, CallFailure, Event};

const KEYS: &str = r#""users": {"type": "jwt", "issuer": "i", "audiences": ["a"],
    "jwks": {"remote": {"url": "https://idp/jwks", "cluster": "idp", "timeout": "2s"}}}"#;
const OPAQUE: &str = r#""opaque": {"type": "introspection", "url": "https://idp/introspect", "cluster": "idp",
    "client_id": "gateway", "client_secret": "s", "audiences": ["a"], "cache": {"ttl": "30s", "negative_ttl": "5s"}}"#;

pub(super) fn engine(authenticators: &str, auth: &str, more: &str) -> Engine {
    let route = format!(
        r#"{{"method": "GET", "path": "/x", "auth": {auth}, "mapping": {{"headers": {{"x-sub": "$request.jwt.sub"}}}}}}"#
    );
    let text = format!(r#"{{"authenticators": {{{authenticators}}}, {more} "paths": [{route}]}}"#);
    let gateway = config::load(text.as_bytes(), &|_| None);
    Engine::new(gateway.unwrap_or_else(|errors| panic!("{errors:?}")), 7)
}

pub(super) fn at(millis: u64) -> UnixTime {
    UnixTime::from_nanos(1_800_000_000_000_000_000 + millis * 1_000_000)
}

fn ask(token: &str) -> Head {
    head("GET", "/x", &[("authorization", &bearer(token))])
}

/// Sends a request; none if it waits.
pub(super) fn send(engine: &mut Engine, id: u32, token: &str, millis: u64) -> Option<(u16, Option<String>)> {
    outcome(engine.decide(RequestId(id), &ask(token), at(millis), &mut NoHost))
}

/// The status, 200 where it is forwarded, and who the service is told that the caller is; none if it waits.
fn outcome(decision: Decision) -> Option<(u16, Option<String>)> {
    match decision.verdict {
        Verdict::Wait => None,
        Verdict::Deny(answer) => Some((
            answer.status,
            answer.headers.iter().find(|(name, _)| name == "retry-after").map(|(_, value)| value.clone()),
        )),
        Verdict::Forward(edits) => {
            let subject = edits.into_iter().find_map(|edit| match edit {
                HeaderEdit::Set(name, value) if &*name == "x-sub" => String::from_utf8(value.to_vec()).ok(),
                _ => None,
            });
            Some((200, subject))
        }
    }
}

/// All requests that can be decided.
pub(super) fn decided(engine: &mut Engine, millis: u64) -> Vec<(u32, u16)> {
    let mut all = Vec::new();
    while let Some(id) = engine.next_ready() {
        let decision = engine.resume(id, at(millis), &mut NoHost).unwrap();
        all.extend(outcome(decision).map(|(status, _)| (id.0, status)));
    }
    all
}

pub(super) fn tick(engine: &mut Engine, millis: u64) -> Vec<Call> {
    engine.tick(at(millis), &mut NoHost).calls
}

pub(super) fn give(engine: &mut Engine, call: &Call, body: &str, millis: u64) -> Vec<Event> {
    let answer = CallAnswer { headers: vec![(":status".to_owned(), b"200".to_vec())], body: body.as_bytes().to_vec() };
    engine.answer(call.id, Ok(answer), at(millis), &mut NoHost).events
}

pub(super) fn fail(engine: &mut Engine, call: &Call, millis: u64) -> Vec<Event> {
    engine.answer(call.id, Err(CallFailure::NoAnswer), at(millis), &mut NoHost).events
}

fn key_set(kid: &str) -> String {
    let key = BASE64_URL_SAFE_NO_PAD.encode(SECRET);
    format!(r#"{{"keys":[{{"kty":"oct","k":"{key}"{kid}}}]}}"#)
}

test!(requests_wait_for_the_first_keys, {
    let mut engine = engine(KEYS, "true", "");
    let good = token(r#""sub": "u""#);
    assert!(engine.has_providers() && !engine.is_busy());
    assert_eq!(send(&mut engine, 1, &good, 0), None);
    assert_eq!(send(&mut engine, 2, "x.y.z", 0).unwrap().0, 401);
    assert_eq!(send(&mut engine, 3, &good.replace('.', "x."), 0).unwrap().0, 401);
    assert_eq!(send(&mut engine, 4, &good, 0), None);
    engine.forget(RequestId(4));
    let calls = tick(&mut engine, 1);
    assert!(calls.len() == 1 && calls[0].timeout == Duration::from_secs(2) && engine.is_busy());
    assert_eq!(decided(&mut engine, 1), []);
    give(&mut engine, &calls[0], &key_set(""), 2);
    assert_eq!(decided(&mut engine, 2), [(1, 200)]);
    assert!(!engine.is_busy());
    assert_eq!(send(&mut engine, 5, &good, 3), Some((200, Some("u".to_owned()))));
});

test!(without_keys_it_is_503_and_soon, {
    let mut engine = engine(KEYS, "true", "");
    let good = token(r#""sub": "u""#);
    assert_eq!(send(&mut engine, 1, &good, 0), None);
    let calls = tick(&mut engine, 1);
    assert_eq!(fail(&mut engine, &calls[0], 5).len(), 1);
    assert_eq!(decided(&mut engine, 5), [(1, 503)]);
    assert_eq!(send(&mut engine, 2, &good, 6), Some((503, Some("1".to_owned()))));
    // The back-off is over: whoever comes now waits for the next fetch, but not for ever.
    assert_eq!(send(&mut engine, 3, &good, 600), None);
    assert_eq!(tick(&mut engine, 601).len(), 1);
    assert_eq!((decided(&mut engine, 3000), engine.waiting()), (Vec::new(), 1));
    tick(&mut engine, 3600);
    assert_eq!(decided(&mut engine, 3600), [(3, 503)]);
});

test!(shadow_mode_waits_no_longer_than_the_provider_may_take, {
    let mut engine = engine(KEYS, "true", r#""mode": "shadow","#);
    assert_eq!(send(&mut engine, 1, &token(r#""sub": "u""#), 0), None);
    tick(&mut engine, 1);
    tick(&mut engine, 1999);
    assert_eq!(decided(&mut engine, 1999), []);
    tick(&mut engine, 2000);
    assert_eq!(decided(&mut engine, 2000), [(1, 200)]);
});

test!(a_token_stops_with_the_key_that_verified_it, {
    let mut engine = engine(KEYS, "true", "");
    let good = token(r#""sub": "u""#);
    let calls = tick(&mut engine, 0);
    give(&mut engine, &calls[0], &key_set(""), 0);
    assert_eq!(send(&mut engine, 1, &good, 1).unwrap().0, 200);
    assert_eq!(engine.tokens[0].verified.len(), 1);
    // The same key, written otherwise.
    let calls = tick(&mut engine, 600_000);
    give(&mut engine, &calls[0], &key_set(r#","x5t":"1""#), 600_000);
    assert_eq!(engine.tokens[0].verified.len(), 1);
    let calls = tick(&mut engine, 1_200_000);
    give(&mut engine, &calls[0], &key_set(r#","kid":"other""#).replace("MDEy", "MDEz"), 1_200_000);
    assert_eq!(engine.tokens[0].verified.len(), 0);
});

test!(one_look_up_answers_all_requests_with_a_token, {
    let mut engine = engine(OPAQUE, "true", "");
    for id in 1..=3 {
        assert_eq!(send(&mut engine, id, "opaque-1", 0), None);
    }
    assert_eq!(send(&mut engine, 4, "opaque-2", 0), None);
    // Who asked first goes away.
    engine.forget(RequestId(1));
    let calls = tick(&mut engine, 1);
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].body, b"token=opaque-1&token_type_hint=access_token");
    let events = give(&mut engine, &calls[0], r#"{"active": true, "aud": "a", "sub": "u", "exp": 1800000010}"#, 2);
    let (place, took) = ("authenticators.opaque".to_owned(), Duration::from_millis(1));
    assert_eq!(events, [Event::LookedUp { place, active: true, took }]);
    assert_eq!(decided(&mut engine, 2), [(2, 200), (3, 200)]);
    give(&mut engine, &calls[1], r#"{"active": false}"#, 2);
    assert_eq!(decided(&mut engine, 2), [(4, 401)]);
    assert_eq!(send(&mut engine, 5, "opaque-1", 9_000), Some((200, Some("u".to_owned()))));
    assert_eq!(send(&mut engine, 6, "opaque-2", 4_000).unwrap().0, 401);
    // Neither is believed for ever: exp goes before ttl.
    assert_eq!(send(&mut engine, 7, "opaque-1", 10_000), None);
    assert_eq!(send(&mut engine, 8, "opaque-2", 5_002), None);
});

test!(a_look_up_that_fails_is_503_and_forgotten, {
    let mut engine = engine(OPAQUE, "true", "");
    for (round, answer) in ["", "[]", "{\"active\": true, \"active\": true}", "<html>"].into_iter().enumerate() {
        let id = round as u32;
        assert_eq!(send(&mut engine, id, "opaque", 0), None);
        let calls = tick(&mut engine, 1);
        assert!(matches!(give(&mut engine, &calls[0], answer, 2)[..], [Event::LookupFailed { .. }]));
        assert_eq!(decided(&mut engine, 2), [(id, 503)]);
    }
    assert_eq!(send(&mut engine, 9, "opaque", 3), None);
    // The host loses the call.
    assert_eq!(tick(&mut engine, 4).len(), 1);
    assert!(tick(&mut engine, 2005).is_empty());
    assert_eq!(decided(&mut engine, 2005), [(9, 503)]);
    assert!(!engine.is_busy());
});

test!(what_an_answer_has_to_say, {
    for (answer, status) in [
        (r#"{"active": true, "aud": "a"}"#, 200),
        (r#"{"active": true, "aud": ["x", "a"], "token_type": "bearer", "iss": "any"}"#, 200),
        (r#"{"active": "true", "aud": "a"}"#, 401),
        (r#"{"active": 1, "aud": "a"}"#, 401),
        (r#"{"aud": "a"}"#, 401),
        (r#"{"active": true}"#, 403),
        (r#"{"active": true, "aud": "b"}"#, 403),
        (r#"{"active": true, "aud": "a", "exp": 1799999000}"#, 401),
        (r#"{"active": true, "aud": "a", "exp": "1800000060"}"#, 401),
        (r#"{"active": true, "aud": "a", "nbf": 1800001000}"#, 401),
        (r#"{"active": true, "aud": "a", "token_type": "N_A"}"#, 401),
        (r#"{"active": true, "aud": "a", "token_type": null}"#, 401),
        (r#"{"active": true, "aud": "a", "cnf": {"jkt": "x"}}"#, 401),
    ] {
        let mut engine = engine(OPAQUE, "true", "");
        assert_eq!(send(&mut engine, 1, "opaque", 0), None);
        let calls = tick(&mut engine, 0);
        give(&mut engine, &calls[0], answer, 0);
        assert_eq!(decided(&mut engine, 0), [(1, status)], "{answer}");
        // Refusals are remembered as well.
        assert_eq!(send(&mut engine, 2, "opaque", 1).map(|(status, _)| status), Some(status), "{answer}");
    }
});

test!(a_jwt_of_another_authenticator_is_shown_to_no_provider, {
    let users = format!(r#""users": {{"type": "jwt", "issuer": "i", "audiences": ["a"], "secret": "{SECRET}"}}"#);
    let mut engine =
        engine(&format!("{users}, {OPAQUE}"), r#"{"any": ["users", "opaque"]}"#, r#""default_auth": "users","#);
    assert_eq!(send(&mut engine, 1, &token(r#""sub": "u""#), 0), Some((200, Some("u".to_owned()))));
    let forged = token(r#""sub": "u""#).replace("eyJh", "eyJi");
    assert_eq!(send(&mut engine, 2, &forged, 0).unwrap().0, 401);
    assert_eq!(send(&mut engine, 3, "opaque", 0), None);
    let other = token("\"sub\": \"u\"").split('.').nth(2).unwrap().to_owned();
    let foreign = format!("eyJhbGciOiJIUzI1NiJ9.{}.{other}", BASE64_URL_SAFE_NO_PAD.encode(r#"{"iss":"else"}"#));
    assert_eq!(send(&mut engine, 4, &foreign, 0), None);
    assert_eq!(tick(&mut engine, 0).len(), 2);
});

test!(an_alternative_whose_provider_fails_is_503_unless_another_one_verifies, {
    let both = format!("{KEYS}, {OPAQUE}");
    let mut engine = engine(&both, r#"{"any": ["users", "opaque"]}"#, r#""default_auth": "users","#);
    let calls = tick(&mut engine, 0);
    fail(&mut engine, &calls[0], 0);
    // A JWT of theirs cannot be checked.
    assert_eq!(send(&mut engine, 1, &token(r#""sub": "u""#), 1).unwrap().0, 503);
    // An opaque token is no JWT: the other one decides.
    assert_eq!(send(&mut engine, 2, "opaque", 1), None);
    let calls = tick(&mut engine, 2);
    fail(&mut engine, &calls[0], 2);
    assert_eq!(decided(&mut engine, 2), [(2, 503)]);
    assert_eq!(send(&mut engine, 3, "opaque", 3), None);
    let calls = tick(&mut engine, 3);
    give(&mut engine, &calls[0], r#"{"active": false}"#, 3);
    assert_eq!(decided(&mut engine, 3), [(3, 401)]);
});

test!(no_more_wait_than_there_is_room_for, {
    let mut engine = engine(OPAQUE, "true", "");
    let mut refused = 0;
    for id in 0..5000 {
        match engine.decide(RequestId(id), &ask("opaque"), at(0), &mut NoHost) {
            Decision { verdict: Verdict::Deny(answer), record, .. } => {
                assert_eq!((answer.status, record.reason), (503, Some(Reason::TooManyWaiting)));
                refused += 1;
            }
            decision => assert_eq!(decision.verdict, Verdict::Wait),
        }
    }
    assert_eq!((engine.waiting(), refused), (4096, 904));
});

test!(a_token_does_not_suffer_from_the_provider_of_another_one, {
    let other = KEYS.replace("users", "others").replace("\"i\"", "\"other\"").replace("idp/jwks", "other/jwks");
    let mut engine =
        engine(&format!("{other}, {KEYS}"), r#"{"any": ["others", "users"]}"#, r#""default_auth": "users","#);
    let good = token(r#""sub": "u""#);
    let calls = tick(&mut engine, 0);
    fail(&mut engine, &calls[0], 0);
    give(&mut engine, &calls[1], &key_set(r#","kid":"x""#), 0);
    // Its key is not known to its own provider either, which is asked; the other one is not waited for.
    let kid = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","kid":"y"}"#);
    let unknown = format!("{kid}.{}", good.split_once('.').unwrap().1);
    assert_eq!(send(&mut engine, 1, &good, 1), Some((200, Some("u".to_owned()))));
    assert_eq!(send(&mut engine, 2, &unknown, 1), None);
    let calls = tick(&mut engine, 2);
    assert_eq!(calls.len(), 1);
    give(&mut engine, &calls[0], &key_set(r#","kid":"x""#), 3);
    assert_eq!(decided(&mut engine, 3), [(2, 401)]);
});

test!(the_log_names_an_authenticator_as_the_configuration_does, {
    let (_, members) = OPAQUE.split_once(": ").unwrap();
    let route = r#"{"method": "GET", "path": "/x", "auth": true}"#;
    for (configuration, expected) in [
        (format!(r#"{{"authenticators": {{{OPAQUE}}}, "paths": [{route}]}}"#), "authenticators.opaque"),
        (format!(r#"{{"authorizer": {members}, "paths": [{route}]}}"#), "authorizer"),
    ] {
        let mut engine = Engine::new(config::load(configuration.as_bytes(), &|_| None).unwrap(), 7);
        assert_eq!(send(&mut engine, 1, "opaque", 0), None);
        let calls = tick(&mut engine, 1);
        let events = fail(&mut engine, &calls[0], 2);
        assert!(matches!(&events[..], [Event::LookupFailed { place, .. }] if place == expected), "{events:?}");
    }
});
