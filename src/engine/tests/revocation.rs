use std::time::Duration;

use super::{
    providers::{at, decided, engine, fail, give, send, tick},
    *,
};
use crate::provider::{CallFailure, Event};

/// An authenticator with a list.
fn listed(more: &str) -> String {
    format!(
        r#""users": {{"type": "jwt", "issuer": ["i", "j"], "audiences": ["a"], "secret": "{SECRET}",
        "revocation": {{"url": "https://idp/revoked", "cluster": "idp", "timeout": "2s", "refresh": "30s", "max_stale": "40s"{more}}}}}"#
    )
}

fn revoked(entries: &str) -> String {
    format!("{{\"revoked\": [{entries}]}}")
}

/// Ticks, and gives what is asked for.
fn refresh(engine: &mut Engine, body: &str, millis: u64) {
    let calls = tick(engine, millis);
    assert_eq!(calls.len(), 1, "at {millis}");
    give(engine, &calls[0], body, millis);
}

fn status(engine: &mut Engine, token: &str, millis: u64) -> Option<u16> {
    send(engine, 1, token, millis).map(|(status, _)| status)
}

test!(a_cached_token_is_refused_as_soon_as_the_list_says_so, {
    let mut engine = engine(&listed(""), "true", "");
    let (good, bad) = (token(r#""jti": "good""#), token(r#""jti": "bad""#));
    assert!(engine.has_providers());
    assert_eq!((send(&mut engine, 1, &good, 0), send(&mut engine, 2, &bad, 0)), (None, None));
    refresh(&mut engine, &revoked(""), 1);
    assert_eq!(decided(&mut engine, 1), [(1, 200), (2, 200)]);
    assert_eq!(status(&mut engine, &bad, 29_000), Some(200));
    refresh(&mut engine, &revoked(r#"{"iss": "i", "value": "bad"}"#), 30_000);
    assert_eq!((status(&mut engine, &good, 30_000), status(&mut engine, &bad, 30_000)), (Some(200), Some(401)));
    // And is good again when it is taken off the list.
    refresh(&mut engine, &revoked(""), 60_000);
    assert_eq!(status(&mut engine, &bad, 60_000), Some(200));
});

test!(a_list_that_cannot_be_read_takes_nobody_off, {
    let mut engine = engine(&listed(""), "true", "");
    let bad = token(r#""jti": "bad""#);
    refresh(&mut engine, &revoked(r#"{"iss": "i", "value": "bad"}"#), 0);
    let mut now = 30_000;
    for body in [&revoked(r#"{"iss": "i"}"#), "{}", "", "{\"revoked\": {}}"] {
        refresh(&mut engine, body, now);
        assert_eq!(status(&mut engine, &bad, now), Some(401), "{body}");
        now += 1000;
    }
});

test!(without_a_list_it_is_503_and_with_allow_the_token_is_good, {
    let good = token(r#""jti": "good""#);
    for (more, expected) in [("", 503), (r#", "unavailable": "deny""#, 503), (r#", "unavailable": "allow""#, 200)] {
        let mut engine = engine(&listed(more), "true", "");
        // Both wait for the first fetch.
        assert_eq!(status(&mut engine, &good, 0), None, "{more}");
        let calls = tick(&mut engine, 1);
        fail(&mut engine, &calls[0], 2);
        assert_eq!(decided(&mut engine, 2), [(1, expected)]);
        assert_eq!(status(&mut engine, &good, 3), Some(expected));
        // Only one that is denied waits for another.
        assert_eq!(status(&mut engine, &good, 1000), (expected == 200).then_some(200));
        refresh(&mut engine, &revoked(""), 1001);
        assert_eq!(status(&mut engine, &good, 1002), Some(200));
        // Beyond max_stale it is the same.
        let mut now = 31_000;
        while now < 41_000 {
            for call in tick(&mut engine, now) {
                fail(&mut engine, &call, now);
            }
            assert_eq!(send(&mut engine, 7, &good, now).unwrap().0, 200, "{more} at {now}");
            now += 1000;
        }
        for call in tick(&mut engine, 41_500) {
            fail(&mut engine, &call, 41_500);
        }
        assert_eq!(send(&mut engine, 8, &good, 41_501).map_or(expected, |(status, _)| status), expected);
    }
});

test!(a_first_fetch_that_takes_too_long_holds_nobody_up_for_longer, {
    for (more, expected) in [("", 503), (r#", "unavailable": "allow""#, 200)] {
        let mut engine = engine(&listed(more), "true", "");
        assert_eq!(status(&mut engine, &token(r#""jti": "good""#), 0), None);
        tick(&mut engine, 1);
        assert_eq!(decided(&mut engine, 2900), []);
        tick(&mut engine, 3000);
        assert_eq!(decided(&mut engine, 3000), [(1, expected)]);
    }
});

test!(what_cannot_be_revoked_is_refused_and_waits_for_nothing, {
    for (by, claims) in [
        ("jti", r#""sub": "u""#),
        ("jti", r#""jti": 7"#),
        ("sub", r#""jti": "x""#),
        ("sid", r#""sub": "u", "jti": "x""#),
        ("sid", r#""sid": ["s"]"#),
        ("sid", r#""sid": null"#),
    ] {
        let mut engine = engine(&listed(&format!(r#", "by": "{by}", "unavailable": "allow""#)), "true", "");
        assert_eq!(status(&mut engine, &token(claims), 0), Some(401), "{by} {claims}");
    }
});

test!(before_needs_iat, {
    let mut engine = engine(&listed(r#", "by": "sub""#), "true", "");
    refresh(&mut engine, &revoked(r#"{"iss": "i", "value": "u", "before": 1799999990}"#), 0);
    for (claims, expected) in [
        (r#""sub": "u""#, 401),
        (r#""sub": "u", "iat": 1799999990"#, 401),
        (r#""sub": "u", "iat": 1799999990.5"#, 200),
        (r#""sub": "u", "iat": 1799999991"#, 200),
        (r#""sub": "v""#, 200),
    ] {
        assert_eq!(status(&mut engine, &token(claims), 1), Some(expected), "{claims}");
    }
});

test!(two_authenticators_with_one_list_fetch_it_once, {
    let other = listed(r#", "by": "sub", "unavailable": "allow""#).replacen("users", "others", 1);
    let mut engine = engine(&format!("{}, {other}", listed("")), r#"{"all": ["users", "others"]}"#, "");
    assert_eq!(tick(&mut engine, 0).len(), 1);
});

test!(going_on_without_a_list_is_told_now_and_then, {
    let mut engine = engine(&listed(r#", "unavailable": "allow""#), "true", "");
    let good = token(r#""jti": "good""#);
    let unchecked = |engine: &mut Engine, millis| {
        let effects = engine.tick(at(millis), &mut NoHost);
        for call in &effects.calls {
            engine.answer(call.id, Err(CallFailure::NoAnswer), at(millis), &mut NoHost);
        }
        effects.events.into_iter().find_map(|event| match event {
            Event::RevocationsUnchecked { tokens, .. } => Some(tokens),
            _ => None,
        })
    };
    assert_eq!(unchecked(&mut engine, 0), None);
    for _ in 0..3 {
        assert_eq!(status(&mut engine, &good, 1), Some(200));
    }
    assert_eq!(unchecked(&mut engine, 2), Some(3));
    assert_eq!(status(&mut engine, &good, 3), Some(200));
    assert_eq!((unchecked(&mut engine, 4), unchecked(&mut engine, 9000)), (None, None));
    assert_eq!((unchecked(&mut engine, 10_002), unchecked(&mut engine, 30_000)), (Some(1), None));
});

test!(a_list_is_never_fetched_later_than_refresh_even_while_it_fails, {
    let mut engine = engine(&listed("").replace("30s", "1s"), "true", "");
    refresh(&mut engine, &revoked(""), 0);
    let (mut last, mut now) = (0, 0);
    while now < 60_000 {
        now += 10;
        for call in tick(&mut engine, now) {
            assert!(Duration::from_millis(now - last) <= Duration::from_millis(1010), "{last} {now}");
            last = now;
            fail(&mut engine, &call, now);
        }
    }
    assert!(last > 58_000);
});
