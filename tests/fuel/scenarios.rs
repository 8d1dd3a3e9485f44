//! The requests that are counted.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use wasm_test_harness::{
    host::{Headers, Request},
    mint::{TokenSpec, jwks, mint},
};

/// One kind of request: the last is counted, after the others.
pub struct Scenario {
    pub name: &'static str,
    pub configuration: Value,
    pub requests: Vec<Request>,
    pub expected: Expected,
}

/// What has to come of each request.
#[derive(Clone, Copy, Debug)]
pub enum Expected {
    /// It goes on, with these headers.
    Forwarded(&'static [(&'static str, &'static str)]),
    /// The caller is answered with this status.
    Answered(u16),
}

pub fn all() -> Vec<Scenario> {
    let mut all = hot();
    all.extend(new());
    all.extend(large());
    all.extend(keys());
    all.extend(without_identity());
    all.push(webhook());
    all
}

/// A token that the worker has seen before.
fn hot() -> Vec<Scenario> {
    let request = bearer("/orders/7", &token("rs1", "RS256", 0));
    let mut forged = request.clone();
    for name in ["x-user-id", "x_user_id", "x-email", "x-tenant", "X-Tenant"] {
        forged.headers.add(name, b"forged");
    }
    let routes: Vec<Value> = (0..10_000).map(|number| route(&format!("/service-{number}/items/{{id}}"))).collect();
    let many_routes = with_paths(authorizer("rs1"), routes);
    let on_a_route = bearer("/service-5000/items/7", &token("rs1", "RS256", 0));
    let mut twenty = route("/{.+}");
    twenty["mapping"]["headers"] =
        (0..20).map(|at| (format!("x-claim-{at}"), json!("$request.jwt.sub"))).collect::<Map<_, _>>().into();
    let mapped = with_paths(authorizer("rs1"), vec![twenty]);
    [
        ("hot_token", gateway("rs1"), request.clone(), IDENTITY),
        ("hot_token_with_forged_identity", gateway("rs1"), forged, IDENTITY),
        ("hot_token_of_10000_routes", many_routes, on_a_route, IDENTITY),
        ("hot_token_with_20_mapped_values", mapped, request, &[("x-claim-0", "user-0"), ("x-claim-19", "user-0")]),
    ]
    .map(|(name, configuration, request, told)| Scenario {
        name,
        configuration,
        requests: vec![request; WARM_UP],
        expected: Expected::Forwarded(told),
    })
    .into()
}

/// Tokens that the worker has not seen: a key may do better once it was used.
fn new() -> Vec<Scenario> {
    [
        ("new_token_hs256", "hs2", "HS256"),
        ("new_token_rs256", "rs1", "RS256"),
        ("new_token_ps256", "rs1", "PS256"),
        ("new_token_es256", "es1", "ES256"),
        ("new_token_es384", "es384", "ES384"),
        ("new_token_es512", "es512", "ES512"),
        ("new_token_eddsa", "ed1", "EdDSA"),
    ]
    .map(|(name, key, algorithm)| Scenario {
        name,
        configuration: gateway(key),
        requests: (0..WARM_UP).rev().map(|user| bearer("/orders/7", &token(key, algorithm, user))).collect(),
        expected: Expected::Forwarded(&[("x-tenant", "acme")]),
    })
    .into()
}

/// Tokens with 4 KiB of claims.
fn large() -> Vec<Scenario> {
    let large = |user: usize| {
        let mut claims = claims(user);
        claims["groups"] = (0..80).map(|at| format!("/departments/engineering/teams/team-{at:02}")).collect();
        bearer("/orders/7", &sign("hs2", "HS256", claims))
    };
    vec![
        Scenario {
            name: "hot_token_of_4_kib",
            configuration: gateway("hs2"),
            requests: vec![large(0); WARM_UP],
            expected: Expected::Forwarded(IDENTITY),
        },
        Scenario {
            name: "new_token_of_4_kib",
            configuration: gateway("hs2"),
            requests: (0..WARM_UP).rev().map(large).collect(),
            expected: Expected::Forwarded(&[("x-tenant", "acme")]),
        },
    ]
}

fn keys() -> Vec<Scenario> {
    let configuration = |count: usize| {
        let keys: Vec<Value> = (0..count)
            .map(|number| {
                let digest: String = Sha256::digest(api_key(number)).iter().map(|byte| format!("{byte:02x}")).collect();
                json!({"id": format!("client-{number}"), "sha256": digest, "owner": "acme"})
            })
            .collect();
        let mut path = route("/{.+}");
        path["mapping"] = json!({"headers": {"x-user-id": "$identity.subject", "x-owner": "$identity.owner"}});
        with_paths(json!({"type": "api_key", "keys": keys}), vec![path])
    };
    let request = |number| request("GET", "/orders/7", &[("x-api-key", &api_key(number))]);
    [("api_key_of_10", 10), ("api_key_of_100000", 100_000)]
        .map(|(name, count)| Scenario {
            name,
            configuration: configuration(count),
            requests: (0..8).rev().map(request).collect(),
            expected: Expected::Forwarded(&[("x-owner", "acme")]),
        })
        .into()
}

/// Requests of nobody: denied, or on a route for everybody.
fn without_identity() -> Vec<Scenario> {
    let (one, other) = (token("hs2", "HS256", 0), token("hs2", "HS256", 1));
    let (claims, signature) = (one.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1);
    let wrong = bearer("/orders/7", &format!("{claims}.{signature}"));
    let open = |path: &str| json!({"method": "GET", "path": path, "auth": false});
    let paths = vec![open("/health"), open("/public/{.+}"), route("/orders/{id}")];
    let configuration = with_paths(authorizer("hs2"), paths);
    let forwarded = Expected::Forwarded(&[]);
    [
        ("no_credential", request("GET", "/orders/7", &[]), Expected::Answered(401)),
        ("wrong_signature", wrong, Expected::Answered(401)),
        ("no_route", request("GET", "/unknown", &[]), Expected::Answered(404)),
        ("public_route", request("GET", "/public/images/7.png?size=large", &[("x-user-id", "forged")]), forwarded),
        ("health", request("GET", "/health", &[]), forwarded),
    ]
    .map(|(name, request, expected)| Scenario {
        name,
        configuration: configuration.clone(),
        requests: vec![request; WARM_UP],
        expected,
    })
    .into()
}

/// A signed body of 4 KiB, in two parts.
fn webhook() -> Scenario {
    let part = vec![b'x'; 2_048];
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(&part);
    mac.update(&part);
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let signature = format!("sha256={signature}");
    let mut request = request("POST", "/webhooks/github", &[("x-hub-signature-256", &signature)]);
    request.body = vec![part; 2];
    request.end_of_stream = false;
    let path = json!({"method": "POST", "path": "/webhooks/github", "auth": true});
    Scenario {
        name: "webhook",
        configuration: with_paths(json!({"type": "hmac", "scheme": "github", "secrets": [SECRET]}), vec![path]),
        requests: vec![request; WARM_UP],
        expected: Expected::Forwarded(&[]),
    }
}

fn gateway(key: &str) -> Value {
    with_paths(authorizer(key), vec![route("/{.+}")])
}

fn with_paths(authorizer: Value, paths: Vec<Value>) -> Value {
    json!({"authorizer": authorizer, "paths": paths})
}

fn authorizer(key: &str) -> Value {
    let mut authorizer = json!({"type": "jwt", "issuer": "https://idp.example.com", "audiences": ["api"]});
    if key.starts_with("hs") {
        authorizer["secret"] = json!(wasm_test_harness::mint::secret(key).unwrap());
    } else {
        authorizer["jwks"] = json!({"inline": jwks(&[key]).unwrap()});
    }
    authorizer
}

fn route(path: &str) -> Value {
    json!({
        "method": "GET",
        "path": path,
        "auth": true,
        "mapping": {"headers": {
            "x-user-id": "$request.jwt.sub",
            "x-email": "$request.jwt.email",
            "x-tenant": "$request.jwt.tenant",
        }},
    })
}

fn token(key: &str, algorithm: &str, user: usize) -> String {
    sign(key, algorithm, claims(user))
}

fn claims(user: usize) -> Value {
    json!({
        "iss": "https://idp.example.com",
        "aud": "api",
        "sub": format!("user-{user}"),
        "iat": NOW,
        "exp": NOW + 300,
        "email": format!("user-{user}@example.com"),
        "tenant": "acme",
    })
}

fn sign(key: &str, algorithm: &str, claims: Value) -> String {
    let header = json!({"alg": algorithm});
    mint(&TokenSpec { key: key.to_owned(), header, claims, ..TokenSpec::default() }, NOW).unwrap()
}

/// As long as one that `gatepost hash-key` makes.
fn api_key(number: usize) -> String {
    format!("gp_{}", URL_SAFE_NO_PAD.encode(Sha256::digest(number.to_string())))
}

fn bearer(path: &str, token: &str) -> Request {
    request("GET", path, &[("authorization", &format!("Bearer {token}"))])
}

/// As a browser's would be: with some headers that are nobody's business.
fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request {
    let usual = [
        (":authority", "gateway.example.com"),
        (":path", path),
        (":method", method),
        (":scheme", "https"),
        ("accept", "*/*"),
        ("accept-encoding", "gzip"),
        ("user-agent", "fuel/1.0"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "7d1f3c55-3f6c-4a53-9f0e-0b1a2c3d4e5f"),
    ];
    let pairs = usual.iter().chain(headers).map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    Request { headers: Headers::new(pairs.collect()), end_of_stream: true, ..Request::default() }
}

/// When all of it happens, in Unix time.
pub const NOW: u64 = 1_800_000_000;
/// As many requests make a worker and its keys warm.
const WARM_UP: usize = 24;
const IDENTITY: &[(&str, &str)] = &[("x-user-id", "user-0"), ("x-email", "user-0@example.com"), ("x-tenant", "acme")];
const SECRET: &str = "a secret of the webhook's, 32 bytes";
