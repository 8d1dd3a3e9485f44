//! Properties that hold for whatever a client, an issuer or an operator sends.
#![cfg(not(target_arch = "wasm32"))]

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use gatepost::{
    config,
    engine::{Decision, Engine, Head, HeaderEdit, RequestId, UnixTime, Verdict},
    host::NoHost,
    json::Json,
    provider::revocation::{RevocationList, Standing},
    query,
    request::folded_name,
    route::path::{NormalPath, PathPolicy},
};
use hmac::{Hmac, Mac as _};
use proptest::{collection::vec, option, prelude::*};
use sha2::{Digest as _, Sha256};

proptest! {
    // A failure is to be written down as a test, not into a file.
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_normal_path_is_read_in_one_way(path in hostile_path(), normalize in any::<bool>()) {
        let policy = if normalize { PathPolicy::Normalize } else { PathPolicy::Strict };
        if let Ok(normal) = NormalPath::new(path.as_bytes(), policy) {
            let forwarded = normal.forwarded(0).to_owned();
            // Normalising again changes nothing, so what is matched is what is forwarded.
            let again = NormalPath::new(forwarded.as_bytes(), policy).unwrap();
            prop_assert_eq!(again.forwarded(0), &forwarded);
            let raw: Vec<&str> = forwarded.split('/').skip(1).collect();
            prop_assert_eq!(raw.len(), normal.len());
            for (index, segment) in normal.segments().enumerate() {
                let last = index + 1 == normal.len();
                prop_assert!(last || !segment.is_empty());
                prop_assert!(!matches!(segment, "." | ".."));
                prop_assert!(!segment.contains(|c: char| c.is_control() || c == '\\'));
                prop_assert_eq!(decode_once(raw[index]), segment);
            }
            if !normalize {
                // Strict mode refuses or forwards; beyond decoding unreserved characters it rewrites nothing.
                prop_assert_eq!(decode_once(&path), decode_once(&forwarded));
            }
        }
    }

    #[test]
    fn removing_from_a_query_touches_nothing_else(query in "[a-cA-C=&;%+.\\[\\]0-9 ]{0,40}") {
        let is_a = |piece: &query::Piece<'_>| piece.may_be(|name| name == "a");
        let texts: Vec<&str> = query.split(['&', ';']).collect();
        let expected: Vec<&str> = texts.into_iter().filter(|text| !query::pieces(text.as_bytes()).any(|piece| is_a(&piece))).collect();
        match query::remove(query.as_bytes(), is_a) {
            None => prop_assert!(query::pieces(query.as_bytes()).all(|piece| !is_a(&piece))),
            Some(kept) => {
                let kept = String::from_utf8(kept).unwrap();
                let seen: Vec<&str> = kept.split(['&', ';']).collect();
                prop_assert!(seen == expected || (kept.is_empty() && expected.is_empty()), "{} -> {}", query, kept);
            }
        }
    }

    #[test]
    fn an_appended_value_comes_back(name in "[a-z]{1,5}", value in vec(any::<u8>(), 0..20)) {
        let mut appended = b"x=1".to_vec();
        query::append(&mut appended, &name, &value);
        let piece = query::pieces(&appended).last().unwrap();
        prop_assert_eq!(piece.name().into_owned(), name.into_bytes());
        prop_assert_eq!(piece.value().into_owned(), value);
        prop_assert!(appended.iter().all(|byte| byte.is_ascii_graphic()));
    }

    #[test]
    fn json_is_what_serde_json_says_it_is(text in "[\\[\\]{}:,\"a0.\\-e\\\\u ]{0,30}") {
        let ours = Json::parse(text.as_bytes(), 64);
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        // serde_json's values refuse numbers beyond f64, whose digits are kept here.
        let too_large = theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
        prop_assert!(ours.is_ok() == theirs.is_ok() || too_large, "{:?} {:?}", ours, theirs);
        if let Ok(ours) = ours {
            prop_assert_eq!(Json::parse(ours.to_string().as_bytes(), 64), Ok(ours));
        }
    }

    #[test]
    fn no_request_forges_identity_or_panics(
        path in hostile_path(),
        query in "[a-cA-Ctor=&;%+.\\[\\]0-9]{0,30}",
        headers in vec((hostile_header(), "[ -~]{0,20}"), 0..8),
        method in prop_oneof!["GET", "POST", "OPTIONS", "HEAD", "[A-Z ]{0,6}"],
        end_of_stream in any::<bool>(),
    ) {
        let line = [(":method", method), (":path", format!("{path}?{query}")), (":authority", "a.example".to_owned())];
        let mut all: Vec<(String, Vec<u8>)> =
            line.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())).collect();
        all.extend(headers.into_iter().map(|(name, value)| (name, value.into_bytes())));
        let head = Head { headers: all.into(), end_of_stream };
        for configuration in [PUBLIC, SHADOW, CLOSED] {
            let mut engine = Engine::new(config::load(configuration.as_bytes(), &|_| None).unwrap(), 7);
            let Decision { verdict, .. } = engine.decide(RequestId(1), &head, UnixTime::from_secs(1_800_000_000), &mut NoHost);
            match verdict {
                Verdict::Wait => prop_assert!(false, "there is nothing to wait for"),
                Verdict::Deny(answer) => prop_assert!(answer.status >= 400),
                Verdict::Forward(edits) => {
                    prop_assert!(configuration != CLOSED, "forwarded without a credential");
                    let forwarded = apply(&head, &edits);
                    for (name, _) in &forwarded {
                        let folded = folded_name(name);
                        prop_assert!(!folded.starts_with("x-user-") && !folded.starts_with("x-gatepost-"), "{}", name);
                    }
                    let target = forwarded.iter().find(|(name, _)| name == ":path").unwrap();
                    let target = String::from_utf8_lossy(&target.1).into_owned();
                    let query = target.split_once('?').map(|(_, query)| query).unwrap_or_default();
                    prop_assert!(names(query).iter().all(|name| name != "actor"), "{}", target);
                }
            }
        }
    }

    #[test]
    fn no_token_panics(token in "[A-Za-z0-9_.=-]{0,60}") {
        let mut engine = Engine::new(config::load(CLOSED.as_bytes(), &|_| None).unwrap(), 7);
        let headers = [(":method", "GET".to_owned()), (":path", "/".to_owned()), ("authorization", format!("Bearer {token}"))];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.into_bytes())).to_vec();
        let decision = engine.decide(RequestId(1), &Head { headers: headers.into(), end_of_stream: true }, UnixTime::from_secs(1_800_000_000), &mut NoHost);
        prop_assert!(matches!(decision.verdict, Verdict::Deny(answer) if answer.status == 401));
    }

    #[test]
    fn a_signature_is_good_for_what_was_signed_and_for_nothing_else(
        route in 0..SIGNED_ROUTES.len(),
        body in vec(any::<u8>(), 0..80),
        cuts in vec(0..80_usize, 0..4),
        change in prop::option::of((0..4_usize, 0..200_usize, "[ -~]")),
    ) {
        let time = "1800000000";
        let id = "0123456789abcdefABCDEF-_";
        let (path, headers) = sign(SIGNED_ROUTES[route], time, id, &body);
        let (mut headers, mut came) = (headers, body.clone());
        if let Some((part, at, byte)) = &change {
            match headers.get_mut(*part) {
                Some((_, value)) => { let at = at % value.len(); value.replace_range(at..=at, byte); }
                None => { let at = at % (came.len() + 1); came.insert(at, byte.as_bytes()[0]); }
            }
        }
        let is_same = came == body && headers == sign(SIGNED_ROUTES[route], time, id, &body).1;
        // The scheme's name is compared without case.
        let folded = |headers: &[(&str, String)]| headers.iter().map(|(_, value)| value.to_lowercase()).collect::<Vec<_>>();
        let is_case = came == body && path == "/generic" && folded(&headers) == folded(&sign(path, time, id, &body).1);
        let forwarded = is_forwarded(path, &headers, &came, &cuts);
        prop_assert!(forwarded == is_same || (forwarded && is_case), "{}: {:?} {:?}", path, headers, change);
    }

    #[test]
    fn no_signature_header_panics_or_verifies(
        route in 0..SIGNED_ROUTES.len(),
        values in vec("[ -~]{0,40}|((v1|v0|t|ts|key|nonce|sig|sha256)[=,][a-f0-9]{0,64}[, ]?){0,6}|HMAC-SHA256 ((ts|key|nonce|sig)=[a-z0-9]{0,44},?){0,5}", 3),
        body in vec(any::<u8>(), 0..20),
    ) {
        let (path, headers) = sign(SIGNED_ROUTES[route], "1", "a", b"");
        let headers: Vec<_> = headers.iter().zip(values).map(|((name, _), value)| (*name, value)).collect();
        prop_assert!(!is_forwarded(path, &headers, &body, &[]));
    }

    #[test]
    fn a_key_is_taken_out_and_every_byte_around_it_stays(
        query in vec(("[&;]", "[b-zB-Z0-9=+.,:~-]{0,6}|%[0-7][0-9A-F]|KEY"), 1..8),
        crumbs in vec(" ?[b-z]{1,3}(=[a-zA-Z0-9\"=]{0,4})?|KEY", 0..6),
        header in any::<bool>(),
    ) {
        // A separator belongs to the piece after it; the first has none.
        let write = |pieces: Vec<&(String, String)>, piece: &str| {
            let texts = pieces.iter().enumerate().map(|(index, (separator, text))| {
                format!("{}{}", if index > 0 { separator } else { "" }, text.replace("KEY", piece))
            });
            texts.collect::<String>()
        };
        let came = write(query.iter().collect(), "a%5fkey=gp_s3cr3t");
        let left = write(query.iter().filter(|(_, text)| text != "KEY").collect(), "");
        let mut headers = vec![(":method", "GET".to_owned()), (":path", format!("/?{came}"))];
        if header {
            headers.push(("x-api-key", "gp_s3cr3t".to_owned()));
        }
        let cookies = crumbs.join(";").replace("KEY", " a_key=\"gp_s3cr3t\"");
        if !crumbs.is_empty() {
            headers.push(("cookie", cookies.clone()));
        }
        let headers: Vec<_> = headers.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())).collect();
        let head = Head { headers: headers.into(), end_of_stream: true };
        let mut engine = Engine::new(config::load(KEYS.as_bytes(), &|_| None).unwrap(), 7);
        let verdict = engine.decide(RequestId(1), &head, UnixTime::from_secs(1_800_000_000), &mut NoHost).verdict;
        let in_query = query.iter().any(|(_, text)| text == "KEY");
        let in_cookie = crumbs.iter().any(|crumb| crumb == "KEY");
        match verdict {
            Verdict::Forward(edits) => {
                prop_assert!(header || in_query || in_cookie);
                let forwarded = apply(&head, &edits);
                let value = |name: &str| {
                    let value = forwarded.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone());
                    value.map(|value| String::from_utf8(value).unwrap())
                };
                let expected = if left.is_empty() && !came.is_empty() { "/".to_owned() } else { format!("/?{left}") };
                prop_assert_eq!(value(":path").unwrap(), expected);
                prop_assert_eq!(value("x-user-id"), Some("ci".to_owned()));
                prop_assert_eq!(value("x-api-key"), None);
                let kept: Vec<&str> = crumbs.iter().filter(|crumb| *crumb != "KEY").map(String::as_str).collect();
                let kept = kept.join(";");
                let kept = if in_cookie { kept.strip_prefix(' ').unwrap_or(&kept).to_owned() } else { kept };
                prop_assert_eq!(value("cookie").unwrap_or_default(), kept);
            }
            Verdict::Deny(answer) => {
                prop_assert!(!header && !in_query && !in_cookie, "{:?}", answer);
                prop_assert_eq!(answer.status, 401);
            }
            Verdict::Wait => prop_assert!(false, "there is nothing to wait for"),
        }
    }

    #[test]
    fn a_list_revokes_what_it_says_or_is_no_list(
        entries in vec((0..3_u8, 0..4_u8, option::of(0..4_u32), any::<bool>()), 0..12),
        damage in option::of((any::<prop::sample::Index>(), "[\\[\\]{}:,\"a1]{0,2}")),
    ) {
        let texts = entries.iter().map(|(issuer, value, before, swapped)| {
            let before = before.map(|before| format!(",\"before\":{before}")).unwrap_or_default();
            if *swapped {
                format!("{{\"value\":\"v{value}\",\"x\":[{{}}]{before},\"iss\":\"\\u0069{issuer}\"}}")
            } else {
                format!("{{\"iss\":\"i{issuer}\",\"value\":\"v{value}\"{before}}}")
            }
        });
        let mut text = format!("{{\"revoked\":[{}]}}", texts.collect::<Vec<_>>().join(","));
        let is_whole = damage.is_none();
        if let Some((at, with)) = damage {
            let at = at.index(text.len());
            text.replace_range(at..=at, &with);
        }
        match RevocationList::parse(text.as_bytes()) {
            Err(_) => prop_assert!(!is_whole, "{}", text),
            Ok(list) => {
                // By another reader. It takes the last of two members with one name, which this one refuses.
                let said: serde_json::Value = serde_json::from_str(&text).unwrap();
                let said = said["revoked"].as_array().unwrap();
                for (issuer, value, issued) in (0..3).flat_map(|i| (0..4).flat_map(move |v| (0..5).map(move |at| (i, v, at)))) {
                    let (issuer, value, issued) = (format!("i{issuer}"), format!("v{value}"), f64::from(issued) - 0.5);
                    let is_revoked = said.iter().any(|entry| {
                        entry["iss"] == issuer.as_str() && entry["value"] == value.as_str()
                            && entry.get("before").is_none_or(|before| issued <= before.as_f64().unwrap())
                    });
                    let expected = if is_revoked { Standing::Revoked } else { Standing::Good };
                    prop_assert_eq!(list.standing(&issuer, &value, Some(issued)), expected, "{} {} {}", text, issuer, value);
                }
            }
        }
    }

    #[test]
    fn no_configuration_panics(text in "[\\[\\]{}:,\"a-z0-9 ]{0,60}", at in 0..CLOSED.len(), with in "[\\[\\]{}:,\"a1]{0,3}") {
        let _ = config::load(text.as_bytes(), &|_| None);
        let mut mutated = CLOSED.to_owned();
        if mutated.is_char_boundary(at) {
            mutated.insert_str(at, &with);
            if let Err(errors) = config::load(mutated.as_bytes(), &|_| None) {
                prop_assert!(!errors.is_empty());
            }
        }
    }
}

const PUBLIC: &str = r#"{
    "authorizer": {"type": "jwt", "issuer": "i", "audiences": "a", "secret": "0123456789abcdef0123456789abcdef"},
    "identity_headers": ["x-user-*"], "identity_query": ["actor"], "unmatched": "forward", "path_policy": "normalize",
    "paths": [{"method": "ANY", "path": "/a/{.+}", "auth": {"use": "default", "optional": true},
               "mapping": {"headers": {"x-user-id": "$request.jwt.sub"}, "query": {"actor": "$request.jwt.sub"}}}]
}"#;

const SHADOW: &str = r#"{
    "authorizer": {"type": "jwt", "issuer": "i", "audiences": "a", "secret": "0123456789abcdef0123456789abcdef"},
    "identity_headers": ["x-user-*"], "mode": "shadow",
    "paths": [{"method": ["GET", "POST"], "path": "/{.+}", "auth": true, "encoded_slash": "keep",
               "mapping": {"headers": {"x-user-id": "literal"}, "query": {"actor": "$request.jwt.sub"}}}]
}"#;

/// One route for each scheme of signatures.
const SIGNED_ROUTES: [&str; 6] = ["/github", "/stripe", "/slack", "/shopify", "/standard", "/generic"];

/// The secret of `standard` is that of the others in base64.
const SIGNED: &str = r#"{
    "authenticators": {
        "github": {"type": "hmac", "scheme": "github", "secrets": ["another", "s3cr3t"]},
        "stripe": {"type": "hmac", "scheme": "stripe", "secrets": ["another", "s3cr3t"]},
        "slack": {"type": "hmac", "scheme": "slack", "secrets": ["s3cr3t"]},
        "shopify": {"type": "hmac", "scheme": "shopify", "secrets": ["s3cr3t"]},
        "standard": {"type": "hmac", "scheme": "standard-webhooks", "secrets": ["whsec_czNjcjN0"]},
        "generic": {"type": "hmac", "scheme": "generic", "keys": [{"id": "other", "secret": "x"}, {"id": "k", "secret": "s3cr3t"}]}
    },
    "paths": [
        {"method": "POST", "path": "/github", "auth": "github"}, {"method": "POST", "path": "/stripe", "auth": "stripe"},
        {"method": "POST", "path": "/slack", "auth": "slack"}, {"method": "POST", "path": "/shopify", "auth": "shopify"},
        {"method": "POST", "path": "/standard", "auth": "standard"}, {"method": "POST", "path": "/generic", "auth": "generic"}
    ]
}"#;

/// What a sender of this scheme would write.
fn sign<'a>(path: &'a str, time: &str, id: &str, body: &[u8]) -> (&'a str, Vec<(&'static str, String)>) {
    let tag = |text: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"s3cr3t").unwrap();
        mac.update(text);
        mac.finalize().into_bytes()
    };
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let text = |prefix: String| [prefix.as_bytes(), body].concat();
    let headers = match path {
        "/github" => vec![("x-hub-signature-256", format!("sha256={}", hex(&tag(body))))],
        "/stripe" => vec![("stripe-signature", format!("t={time},v1={}", hex(&tag(&text(format!("{time}."))))))],
        "/slack" => vec![
            ("x-slack-signature", format!("v0={}", hex(&tag(&text(format!("v0:{time}:")))))),
            ("x-slack-request-timestamp", time.to_owned()),
        ],
        "/shopify" => vec![("x-shopify-hmac-sha256", STANDARD.encode(tag(body)))],
        "/standard" => vec![
            ("webhook-signature", format!("v1,{}", STANDARD.encode(tag(&text(format!("{id}.{time}.")))))),
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", time.to_owned()),
        ],
        _ => {
            let canonical = format!("POST\na.example\n/generic\n\n{time}\n{id}\n{}", hex(&Sha256::digest(body)));
            let sig = URL_SAFE_NO_PAD.encode(tag(canonical.as_bytes()));
            vec![("authorization", format!("HMAC-SHA256 key=k,ts={time},nonce={id},sig={sig}"))]
        }
    };
    (path, headers)
}

/// Whether a signed request is let through, its body in pieces.
fn is_forwarded(path: &str, headers: &[(&str, String)], body: &[u8], cuts: &[usize]) -> bool {
    let mut engine = Engine::new(config::load(SIGNED.as_bytes(), &|_| None).unwrap(), 7);
    let line = [(":method", "POST".to_owned()), (":path", path.to_owned()), (":authority", "a.example".to_owned())];
    let headers = line.iter().chain(headers).map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    let head = Head { headers: headers.collect(), end_of_stream: false };
    let (id, now) = (RequestId(1), UnixTime::from_secs(1_800_000_000));
    let mut decision = engine.decide(id, &head, now, &mut NoHost);
    if decision.verdict == Verdict::Wait {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (body.len() + 1)).chain([0, body.len()]).collect();
        cuts.sort_unstable();
        for pair in cuts.windows(2) {
            assert!(!engine.body(id, &body[pair[0]..pair[1]]));
        }
        assert!(engine.end_of_body(id));
        decision = engine.resume(id, now, &mut NoHost).unwrap();
    }
    matches!(decision.verdict, Verdict::Forward(_))
}

const CLOSED: &str = r#"{
    "authorizer": {"type": "jwt", "issuer": "i", "audiences": "a", "secret": "0123456789abcdef0123456789abcdef",
                   "from": [{"header": "authorization", "scheme": "Bearer"}, {"cookie": "b"}, {"query": "t"}]},
    "cors_preflight": "authenticate", "unmatched": "authenticate",
    "paths": [{"method": "GET", "path": "/", "auth": true}]
}"#;

/// The hash is that of `gp_s3cr3t`.
const KEYS: &str = r#"{
    "authorizer": {"type": "api_key",
                   "keys": [{"id": "ci", "sha256": "9c64b4f738b79d1324f7c310195271c8a5f903c4baf228fe2cb13a344f07ae58"}, {"id": "z", "sha256": "0000000000000000000000000000000000000000000000000000000000000000"}],
                   "from": [{"header": "x-api-key"}, {"query": "a_key"}, {"cookie": "a_key"}]},
    "paths": [{"method": "GET", "path": "/", "auth": true, "mapping": {"headers": {"x-user-id": "$identity.subject"}}}]
}"#;

fn hostile_path() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        5 => "[a-c]{1,2}".boxed(),
        3 => Just("/".to_owned()).boxed(),
        1 => prop::sample::select(vec![
            ".", "..", "%2e", "%2E", "%2f", "%5c", "\\", "%25", "%252f", "%00", ";", "%3b", "%", "%6", "%61", "é", "%c3%a9",
            "%ff", "A", "%20", "%7f", "//",
        ])
        .prop_map(str::to_owned)
        .boxed(),
    ];
    vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

fn hostile_header() -> impl Strategy<Value = String> {
    prop_oneof![
        "x[-_.]user[-_.]id",
        "x[-_.]gatepost[-_.][a-c]{1,3}",
        prop::sample::select(vec!["connection", "upgrade", "cookie", "authorization", "origin", "content-type", "te"])
            .prop_map(str::to_owned),
        "[a-c]{1,3}",
    ]
}

/// The folded names of a query.
fn names(query: &str) -> Vec<String> {
    let pieces = query::pieces(query.as_bytes());
    pieces.map(|piece| query::folded_name(&String::from_utf8_lossy(&piece.name()))).collect()
}

/// Percent-decoding by other means than the filter's.
fn decode_once(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        if *byte == b'%' {
            let digits = std::str::from_utf8(&after[..2]).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &after[2..];
        } else {
            bytes.push(*byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// What a host does with edits.
fn apply(head: &Head, edits: &[HeaderEdit]) -> Vec<(String, Vec<u8>)> {
    let mut headers = head.headers.to_vec();
    for edit in edits {
        match edit {
            HeaderEdit::Remove(name) => headers.retain(|(other, _)| **other != **name),
            HeaderEdit::Set(name, value) => {
                headers.retain(|(other, _)| **other != **name);
                headers.push((name.to_string(), value.to_vec()));
            }
        }
    }
    headers
}
