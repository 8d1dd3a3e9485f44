//! What is written down of a decision.

use super::*;
use crate::audit::Entry;

const PATHS: &str = r#""paths": [{"method": ["GET", "PUT"], "path": "/x/{id}", "auth": true, "hosts": ["api.example.com"]},
                                 {"method": "GET", "path": "/admin", "auth": {"use": "default", "roles": ["admin"]}},
                                 {"method": "GET", "path": "/shadow", "auth": true, "mode": "shadow"},
                                 {"method": "GET", "path": "/open", "auth": false}]"#;

/// The records of a good token, one without the role, a shadow without a token, a public route and an unknown one.
fn records(audit: &str) -> Vec<Record> {
    let mut engine = engine(&format!("{PATHS} {audit}"));
    let token = bearer(&token(r#""sub": "u""#));
    let fields = [("authorization", token.as_str()), ("x-request-id", "7")];
    let heads = [
        head("GET", "/x/1", &fields),
        head("GET", "/admin", &fields),
        head("GET", "/shadow", &fields[1..]),
        head("GET", "/open", &fields[1..]),
        head("GET", "/unknown", &fields[1..]),
    ];
    heads.iter().map(|head| engine.decide(RequestId(1), head, NOW, &mut NoHost).record).collect()
}

test!(whoever_was_verified_is_known_even_if_that_is_not_enough, {
    let records = records("");
    let subjects: Vec<_> = records.iter().map(|record| record.subject.as_deref()).collect();
    // printf '1:iu' | sha256sum
    let user = Some("id:default:8c90541422c804364b03f860079577eb958acf31cf164c3c5842e41fc732ed9f");
    assert_eq!(subjects, [user, user, None, None, None]);
});

test!(denials_are_audited_by_default_and_all_the_rest_if_asked_for, {
    let audited = |audit| records(audit).iter().map(|record| record.entry.is_some()).collect::<Vec<_>>();
    assert_eq!(audited(""), [false, true, true, false, true]);
    assert_eq!(audited(r#", "audit": {"allowed": true}"#), [true; 5]);
    assert_eq!(audited(r#", "audit": {"denied": false}"#), [false; 5]);
    let records = records(r#", "audit": {"allowed": true}"#);
    let entry = |route: Option<&str>| Entry {
        came: NOW,
        route: route.map(Into::into),
        key_id: None,
        request_id: Some("7".into()),
    };
    let routes =
        [Some("GET,PUT api.example.com /x/{id}"), Some("GET /admin"), Some("GET /shadow"), Some("GET /open"), None];
    for (record, route) in records.into_iter().zip(routes) {
        assert_eq!(record.entry, Some(Box::new(entry(route))));
    }
});

test!(a_question_is_no_decision, {
    let mut engine = engine(PATHS);
    let (decision, _) = engine.explain(&head("GET", "/x/1", &[]), b"", NOW, &mut NoHost);
    assert!(decision.record.reason.is_some() && decision.record.entry.is_none());
});

test!(the_key_that_verified_is_told_whatever_the_token_names, {
    let jwk = r#"{"keys":[{"kty":"oct","kid":"one","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]}"#;
    let text = format!(
        r#"{{"authorizer": {{"type": "jwt", "issuer": "i", "audiences": ["a"], "jwks": {{"inline": {jwk}}}}}, {PATHS},
                           "audit": {{"allowed": true}}}}"#
    );
    let mut engine = Engine::new(config::load(text.as_bytes(), &|_| None).unwrap(), 7);
    let fields = [("authorization", bearer(&token(r#""sub": "u""#)))];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    let record = engine.decide(RequestId(1), &head("GET", "/x/1", &fields), NOW, &mut NoHost).record;
    let entry = record.entry.unwrap();
    assert_eq!((entry.came, entry.key_id.as_deref()), (NOW, Some("one")));
});
