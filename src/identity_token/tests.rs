use super::*;
use crate::{
    auth::AuthenticatorId,
    crypto::Algorithm,
    jose::{jwk::Jwk, jws::Jws},
    test::test,
};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn issuer(key: SigningKey) -> Issuer {
    Issuer::new("x-identity-token".into(), "gatepost".to_owned(), Duration::from_secs(30), key)
}

fn hs256() -> Issuer {
    issuer(SigningKey::hs256(SECRET).unwrap())
}

fn issued(capacity: usize) -> Issued {
    Issued::new(NonZeroUsize::new(capacity).unwrap())
}

fn identity(subject: &str) -> Identity {
    let strings = |items: [&str; 2]| items.map(str::to_owned).to_vec();
    Identity {
        authenticator: AuthenticatorId(0),
        authenticator_name: "users".into(),
        method: "jwt",
        issuer: Some("https://idp".to_owned()),
        subject: Some(subject.to_owned()),
        owner: None,
        limit: None,
        roles: strings(["admin", "dev"]),
        scopes: strings(["orders:read", "orders:write"]),
        claims: Json::Null,
    }
}

fn at(seconds: f64) -> UnixTime {
    NOW.saturating_add(Duration::from_secs_f64(seconds))
}

fn expires(seconds: f64) -> Option<f64> {
    Some(NOW.as_secs_f64() + seconds)
}

fn text_of(token: &[u8], part: usize) -> String {
    let part = std::str::from_utf8(token).unwrap().split('.').nth(part).unwrap();
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// `iat` and `exp`, counted from [`NOW`].
fn times(token: &[u8]) -> (i64, i64) {
    let claims = Json::parse(text_of(token, 1).as_bytes(), 2).unwrap();
    let time = |name| claims.get(name).unwrap().to_string().parse::<i64>().unwrap() - 1_800_000_000;
    (time("iat"), time("exp"))
}

test!(a_token_says_who_calls_and_for_whom_it_is, {
    let token = hs256().issue(&identity("user \"1\""), "orders", None, &mut issued(1), NOW);
    assert_eq!(text_of(&token, 0), r#"{"alg":"HS256","typ":"gatepost+jwt"}"#);
    assert_eq!(
        text_of(&token, 1),
        r#"{"iss":"gatepost","sub":"user \"1\"","aud":"orders","auth":"users","scope":"orders:read orders:write","roles":["admin","dev"],"iat":1800000000,"exp":1800000030}"#
    );
});

test!(what_is_missing_is_left_out, {
    let nobody = Identity { subject: None, roles: Vec::new(), scopes: Vec::new(), ..identity("") };
    let token = hs256().issue(&nobody, "orders", None, &mut issued(1), NOW);
    let expected = r#"{"iss":"gatepost","aud":"orders","auth":"users","iat":1800000000,"exp":1800000030}"#;
    assert_eq!(text_of(&token, 1), expected);
});

test!(no_scope_becomes_two, {
    let odd = ["a b", "", "good", "t\tb", "quote\"", "\u{a0}x", "back\\slash"].map(str::to_owned).to_vec();
    let token = hs256().issue(&Identity { scopes: odd, ..identity("u") }, "orders", None, &mut issued(1), NOW);
    assert!(text_of(&token, 1).contains(r#""scope":"good","#), "{}", text_of(&token, 1));
});

test!(the_published_key_verifies_its_tokens_and_has_their_key_id, {
    let es256 = SigningKey::es256(include_str!("../../tests/keys/es1.pem")).unwrap();
    let ed25519 = SigningKey::ed25519(include_str!("../../tests/keys/ed1.pem")).unwrap();
    for key in [es256, ed25519] {
        let algorithm = key.algorithm();
        let issuer = issuer(key);
        let published = issuer.public_jwk().unwrap();
        assert_eq!(published.get("alg").and_then(Json::as_str), Some(algorithm.name()));
        assert!(published.get("d").is_none());
        let jwk = Jwk::parse(&published).unwrap();
        let token =
            String::from_utf8(issuer.issue(&identity("u"), "orders", None, &mut issued(1), NOW).to_vec()).unwrap();
        let jws = Jws::parse(&token, None).unwrap();
        assert_eq!((jws.header.algorithm, jws.header.media_type.as_deref()), (Some(algorithm), Some("gatepost+jwt")));
        assert!(jws.header.key_id.is_some() && jws.header.key_id == jwk.key_id, "{algorithm}");
        assert!(jwk.key.verify(algorithm, jws.signing_input, &jws.signature), "{algorithm}");
    }
    assert_eq!(hs256().public_jwk(), None);
});

test!(a_token_is_used_again_for_half_its_life, {
    let (issuer, mut issued) = (hs256(), issued(8));
    let mut issue = |seconds| issuer.issue(&identity("u"), "orders", None, &mut issued, at(seconds));
    let first = issue(0.9);
    assert_eq!(times(&first), (0, 30));
    assert_eq!(issue(14.9), first);
    let second = issue(15.0);
    assert_eq!(times(&second), (15, 45));
    assert_eq!(issue(29.9), second);
    assert_eq!(times(&issue(30.0)), (30, 60));
});

test!(two_callers_share_a_token_only_where_it_says_the_same_of_both, {
    let (issuer, mut issued) = (hs256(), issued(16));
    let mut issue = |identity: &Identity, audience| issuer.issue(identity, audience, None, &mut issued, at(0.0));
    let first = issue(&identity("u"), "orders");
    let other_claims = Identity { claims: Json::Bool(true), ..identity("u") };
    assert_eq!(issue(&other_claims, "orders"), first);
    let strings = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
    let others = [
        identity("v"),
        Identity { subject: None, ..identity("") },
        identity(""),
        Identity { authenticator_name: "partners".into(), ..identity("u") },
        Identity { roles: strings(&["admin"]), ..identity("u") },
        Identity { roles: strings(&["admin,dev"]), ..identity("u") },
        Identity { scopes: strings(&["orders:read"]), ..identity("u") },
        identity("u\",\"aud\":\"billing"),
    ];
    let mut seen = vec![first, issue(&identity("u"), "billing")];
    for other in &others {
        seen.push(issue(other, "orders"));
    }
    let mut distinct = seen.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), seen.len());
    // Each is its own caller's again, now from memory.
    assert_eq!(issue(&others[0], "orders"), seen[2]);
});

test!(no_token_outlives_the_credential, {
    let (issuer, mut issued) = (hs256(), issued(8));
    let mut issue =
        |expiry, seconds| times(&issuer.issue(&identity("u"), "a", expires(expiry), &mut issued, at(seconds)));
    assert_eq!(issue(30.0, 0.0), (0, 30));
    // Another credential of the same caller, which ends before the token that is kept.
    assert_eq!(issue(20.9, 0.0), (0, 20));
    assert_eq!(issue(20.9, 9.9), (0, 20));
    assert_eq!(issue(20.9, 10.0), (10, 20));
    assert_eq!(issue(20.9, 15.0), (15, 20));
    assert_eq!(issue(20.9, 19.0), (19, 20));
    // The first credential still has its own.
    assert_eq!(issue(100.0, 14.0), (0, 30));
});

test!(a_credential_within_its_clock_skew_gets_seconds, {
    let (issuer, mut issued) = (hs256(), issued(8));
    let mut issue =
        |expiry, seconds| times(&issuer.issue(&identity("u"), "a", expires(expiry), &mut issued, at(seconds)));
    assert_eq!(issue(0.5, 0.4), (0, 5));
    assert_eq!(issue(-20.0, 1.0), (1, 6));
    assert_eq!(issue(-20.0, 3.4), (1, 6));
    assert_eq!(issue(-20.0, 3.5), (3, 8));
    let brief = Issuer::new("".into(), String::new(), Duration::from_secs(2), SigningKey::hs256(SECRET).unwrap());
    let token = brief.issue(&identity("u"), "a", expires(-1e300), &mut Issued::new(NonZeroUsize::MIN), NOW);
    assert_eq!(times(&token), (0, 2));
});

test!(what_is_kept_is_bounded, {
    let (issuer, mut issued) = (hs256(), issued(2));
    for subject in ["a", "b", "c"] {
        issuer.issue(&identity(subject), "orders", None, &mut issued, NOW);
    }
    assert_eq!(issued.0.len(), 2);
    for subject in ["a", "b", "c"] {
        issuer.issue(&identity(&subject.repeat(9000)), "orders", None, &mut issued, NOW);
    }
    assert_eq!(issued.0.len(), 0);
});

test!(debug_prints_no_key, {
    let shown = format!("{:?}", hs256());
    assert_eq!(shown, r#"Issuer { header: "x-identity-token", key: SigningKey(HS256), .. }"#);
    assert_eq!(issuer(SigningKey::hs256(SECRET).unwrap()).key.algorithm(), Algorithm::Hs256);
});
