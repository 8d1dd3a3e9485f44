//! Nothing that is somebody's secret is told to anybody: secrets of every kind go through every path, good and bad, and
//! are then looked for in all that Envoy has logged, counted and answered.
//!
//! The module logs from `trace` on. Envoy's own components do not: at that level they log the headers of all requests.

use std::collections::BTreeSet;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use wasm_test_harness::{
    echo::sha256,
    mint::{PrivateKey, ProofSpec, TokenSpec, jwks, mint, private_text},
    provider::{Answer, Provider},
};

use super::gateway::{IDP, Running, bearer, now, until};

#[test]
fn no_secret_is_told_to_anybody() {
    let provider = Provider::spawn().unwrap();
    let mut symmetric = jwks(&["es1"]).unwrap();
    let of_provider = json!({"kty": "oct", "kid": "hs", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(PROVIDERS)});
    symmetric["keys"].as_array_mut().unwrap().push(of_provider);
    provider.answer(IDP, "/jwks", [Answer::json(&symmetric)]);
    // A provider that gives back what it was asked, in every form.
    let echoed = format!("token={OPAQUE}&client_secret={CLIENT}");
    provider.answer(
        IDP,
        "/introspect",
        [
            Answer::json(&json!({"active": true, "sub": SUBJECT, "email": EMAIL, "aud": "api"})),
            Answer::json(&json!({"active": false, "token": OPAQUE, "error": echoed})),
            Answer::text(echoed.clone()).with_status(500),
            Answer::text(echoed.clone()),
            Answer::json(&json!({"active": true, "exp": OPAQUE, "sub": EMAIL})),
            Answer::json(&json!([OPAQUE])),
        ],
    );
    provider.answer(IDP, "/revoked", [Answer::json(&json!({"revoked": [{"iss": ISSUER, "value": REVOKED}]}))]);
    provider.answer(IDP, "/bad-keys", [Answer::json(&json!({"keys": [{"kty": "oct", "k": PROVIDERS}]}))]);
    provider.answer(IDP, "/bad-list", [Answer::json(&json!({"revoked": [{"iss": ISSUER, "value": [EMAIL]}]}))]);
    let bad: Vec<(String, String)> =
        bad_configurations().into_iter().enumerate().map(|(index, text)| (format!("bad-{index}"), text)).collect();
    let mut listeners = vec![("gateway", good_configuration()), ("failing", failing_configuration())];
    listeners.extend(bad.iter().map(|(name, text)| (name.as_str(), text.clone())));
    let running = Running::start(provider, "trace", &listeners);
    until("the keys are there", || running.scrape().contains("gatepost_key_age_seconds{"));
    let mut secrets = Secrets::default();
    for secret in [CLIENT, SHARED, WEBHOOK, SIGNING, API_KEY, OPAQUE, EMAIL, SUBJECT, REVOKED, PROVIDERS] {
        secrets.add(secret);
    }
    secrets.add(&private_text("ed1").unwrap());
    secrets.add(&format!("gateway:{CLIENT}"));
    let mut answers = Vec::new();
    let mut statuses = BTreeSet::new();
    let mut send = |listener: &str, line: &str, headers: &[(&str, &str)], body: &str| {
        let response = running.send(listener, line, headers, body);
        statuses.insert(response.status);
        if response.header("x-echo").is_none() {
            let fields =
                response.headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)));
            answers.push(fields.collect::<Vec<_>>().join("\n") + "\n" + &String::from_utf8_lossy(&response.body));
        }
    };
    for token in tokens() {
        secrets.add_token(&token);
        for (listener, path) in [("gateway", "/orders"), ("gateway", "/shadow"), ("failing", "/orders")] {
            send(listener, &format!("GET {path}"), &[("authorization", &bearer(&token))], "");
            send(listener, &format!("GET {path}?access_token={token}&a=b"), &[], "");
            send(listener, &format!("GET {path}"), &[("cookie", &format!("session={token}"))], "");
            let twice = [("authorization", bearer(&token)), ("cookie", format!("session={OPAQUE}"))];
            send(listener, &format!("GET {path}"), &twice.each_ref().map(|(name, value)| (*name, value.as_str())), "");
        }
        send("gateway", &format!("GET /{token}"), &[("authorization", &bearer(&token))], "");
        send(
            "gateway",
            "POST /orders",
            &[("cookie", &format!("session={token}")), ("origin", "https://a.example")],
            "",
        );
        send("gateway", "GET /orders", &[("authorization", &bearer(&token)), ("x-request-id", &token)], "");
    }
    for number in 0..6 {
        let token = format!("{OPAQUE}{number}");
        send("gateway", "GET /opaque", &[("authorization", &bearer(&token))], "");
        send("failing", "GET /opaque", &[("authorization", &bearer(&token))], "");
    }
    for key in [API_KEY, &format!("{API_KEY} "), &format!("{API_KEY}0"), &format!("{API_KEY}\u{e9}")] {
        send("gateway", "GET /keys", &[("x-api-key", key)], "");
        send("gateway", &format!("GET /keys?key={}", key.trim()), &[], "");
        send("gateway", "GET /keys", &[("x-api-key", key), ("x-api-key", OPAQUE)], "");
    }
    let signature = sign(WEBHOOK, b"{}");
    secrets.add(&signature);
    send("gateway", "POST /github", &[("x-hub-signature-256", &format!("sha256={signature}"))], "{}");
    send("gateway", "POST /github", &[("x-hub-signature-256", &format!("sha256={signature}"))], EMAIL);
    send("gateway", "POST /github", &[("x-hub-signature-256", &signature)], "{}");
    let own =
        format!("HMAC-SHA256 key=ci,ts={},nonce={NONCE},sig={}", now(), URL_SAFE_NO_PAD.encode(signature.as_bytes()));
    secrets.add(&URL_SAFE_NO_PAD.encode(signature.as_bytes()));
    send("gateway", "POST /signed", &[("authorization", &own)], "{}");
    let (token, proof) = bound();
    secrets.add_token(&token);
    secrets.add_token(&proof);
    let dpop = format!("DPoP {token}");
    for (path, header, proof) in [
        ("/orders/7", dpop.as_str(), proof.as_str()), // good, then a replay
        ("/orders/7", dpop.as_str(), proof.as_str()),
        ("/orders/8", dpop.as_str(), proof.as_str()),
        ("/orders/7", dpop.as_str(), token.as_str()),
        ("/orders/7", bearer(&token).as_str(), ""),
    ] {
        send("gateway", &format!("GET {path}"), &[("authorization", header), ("dpop", proof)], "");
    }
    // What is looked for has happened.
    let kinds = [200, 400, 401, 403, 404, 503];
    assert!(kinds.iter().all(|status| statuses.contains(status)), "only {statuses:?}");
    let log = running.envoy.log();
    assert!(log.contains("gatepost: configuration: "), "no configuration was refused");
    assert!(log.contains("gatepost: authenticators.lost: "), "no look-up failed: {log}");
    let outcomes: BTreeSet<String> = running.audit().iter().map(|line| line["outcome"].to_string()).collect();
    assert_eq!(outcomes.len(), 3, "{outcomes:?}");
    let stats = running.envoy.admin("/stats").unwrap();
    let told = [
        ("the log", log),
        (
            "the access log",
            running.envoy.file("access.log").lines().map(told_by_gatepost).collect::<Vec<_>>().join("\n"),
        ),
        ("a statistic", String::from_utf8(stats.body).unwrap()),
        ("a metric", running.scrape()),
        ("an answer", answers.join("\n")),
    ];
    for (place, text) in &told {
        for secret in &secrets.0 {
            if let Some(line) = text.lines().find(|line| line.contains(secret)) {
                panic!("{place} tells a secret, {secret}, in\n{line}");
            }
        }
    }
    assert!(running.envoy.traps().is_empty());
}

/// A line of the access log without what Envoy itself copies from the request: a path that is a token, and its id.
fn told_by_gatepost(line: &str) -> &str {
    let line = line.split_once(" request=").map_or(line, |(line, _)| line);
    let is_path = line.starts_with("GET /eyJ");
    line.split_once(" ms ").filter(|_| is_path).map_or(line, |(_, facts)| facts)
}

/// What must not be told, in the forms that it may take.
#[derive(Default)]
struct Secrets(BTreeSet<String>);

impl Secrets {
    fn add(&mut self, secret: &str) {
        let percent: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let forms = [secret.to_owned(), percent, STANDARD.encode(secret), URL_SAFE_NO_PAD.encode(secret)];
        self.0.extend(forms);
    }

    /// The token, what it says, and what signs it.
    fn add_token(&mut self, token: &str) {
        self.add(token);
        token.split('.').skip(1).filter(|part| part.len() > 8).for_each(|part| self.add(part));
    }
}

/// Tokens that are good, and that are bad in every way.
fn tokens() -> Vec<String> {
    let claims = json!({"iss": ISSUER, "aud": "api", "sub": SUBJECT, "email": EMAIL, "exp": "@now+5m", "iat": "@now"});
    let with = |patch: Value| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        TokenSpec { claims, ..TokenSpec::default() }
    };
    let good = || with(json!({}));
    let mut tokens: Vec<String> = [
        good(),
        with(json!({"exp": "@now-5m"})),
        with(json!({"aud": EMAIL})),
        with(json!({"iss": EMAIL})),
        with(json!({"sub": REVOKED})),
        with(json!({"exp": EMAIL})),
        with(json!({"cnf": {"jkt": EMAIL}})),
        TokenSpec { key: "es2".to_owned(), ..good() },
        TokenSpec { key: "es2".to_owned(), header: json!({"kid": "es1"}), ..good() },
        TokenSpec { header: json!({"alg": EMAIL}), ..good() },
        TokenSpec { header: json!({"kid": EMAIL}), ..good() },
        TokenSpec { header: json!({"crit": [EMAIL]}), ..good() },
        TokenSpec { raw_payload: Some(format!("{{\"email\":\"{EMAIL}\",")), ..good() },
        TokenSpec { raw_header: Some(format!("{{\"alg\":\"{EMAIL}\"")), ..good() },
    ]
    .iter()
    .map(|spec| mint(spec, now()).unwrap())
    .collect();
    let first = tokens[0].clone();
    tokens.push(format!("{first}.{first}"));
    tokens.push(first[..first.len() - 2].to_owned());
    tokens
}

fn good_configuration() -> String {
    let from =
        json!([{"header": "authorization", "scheme": "Bearer"}, {"cookie": "session"}, {"query": "access_token"}]);
    json!({
        "authenticators": {
            "users": {
                "type": "jwt", "issuer": ISSUER, "audiences": ["api"], "from": from, "dpop": "allowed",
                "jwks": {"remote": {"url": format!("http://{IDP}/jwks"), "cluster": "idp"}},
                "revocation": {"url": format!("http://{IDP}/revoked"), "cluster": "idp", "by": "sub"},
            },
            "partners": {"type": "jwt", "issuer": "partner", "audiences": ["api"], "secret": SHARED},
            "opaque": introspection(),
            "machines": {
                "type": "api_key",
                "keys": [{"id": "ci", "sha256": sha256(API_KEY.as_bytes())}],
                "from": [{"header": "x-api-key"}, {"query": "key"}],
            },
            "github": {"type": "hmac", "scheme": "github", "secrets": [WEBHOOK]},
            "own": {"type": "hmac", "scheme": "generic", "keys": [{"id": "ci", "secret": SIGNING}]},
        },
        "identity_token": {
            "header": "x-identity-token", "algorithm": "EdDSA", "key": private_text("ed1").unwrap(), "audience": "services",
        },
        "limit_key": true,
        "audit": {"denied": true, "allowed": true},
        "paths": [
            {"method": "ANY", "path": "/orders/{.+}", "auth": {"any": ["users", "partners"]}, "mapping": mapping()},
            {"method": "GET", "path": "/shadow", "auth": {"any": ["users", "partners"], "roles": ["none"]}, "mode": "shadow"},
            {"method": "GET", "path": "/opaque", "auth": "opaque", "mapping": mapping()},
            {"method": "GET", "path": "/keys", "auth": "machines"},
            {"method": "POST", "path": "/github", "auth": "github"},
            {"method": "POST", "path": "/signed", "auth": "own"},
        ],
    })
    .to_string()
}

/// Whose provider never gives anything that can be used.
fn failing_configuration() -> String {
    json!({
        "authenticators": {
            "stranded": {
                "type": "jwt", "issuer": ISSUER, "audiences": ["api"],
                "jwks": {"remote": {"url": format!("http://{IDP}/bad-keys"), "cluster": "idp"}},
                "revocation": {"url": format!("http://{IDP}/bad-list"), "cluster": "idp"},
            },
            "lost": introspection(),
        },
        "paths": [
            {"method": "GET", "path": "/orders", "auth": "stranded"},
            {"method": "GET", "path": "/shadow", "auth": "stranded", "mode": "shadow"},
            {"method": "GET", "path": "/opaque", "auth": "lost"},
        ],
    })
    .to_string()
}

/// Configurations that are refused for their secrets.
fn bad_configurations() -> Vec<String> {
    let with =
        |authorizer: Value| json!({"authorizer": authorizer, "paths": [{"method": "GET", "path": "/", "auth": true}]});
    let jwt = |member: &str, value: Value| {
        let mut authorizer = json!({"type": "jwt", "issuer": ISSUER, "audiences": ["api"]});
        authorizer[member] = value;
        with(authorizer)
    };
    let mut encoded = jwt("secret", json!(format!("{SHARED}!")));
    encoded["authorizer"]["secret_base64"] = json!(true);
    let mut token = jwt("secret", json!(SHARED));
    token["identity_token"] = json!({"header": "x-t", "algorithm": "ES256", "key": SIGNING, "audience": "a"});
    let mut asked = introspection();
    asked["client_secret"] = json!([CLIENT]);
    [
        jwt("secret", json!(&SHARED[..20])),
        jwt("secret", json!({"value": SHARED})),
        encoded,
        token,
        jwt("public_key_pem", json!(private_text("es1").unwrap())),
        jwt("jwks", json!({"inline": {"keys": [{"kty": "oct", "alg": "HS256", "k": format!("{SHARED}=")}]}})),
        jwt(
            "jwks",
            json!({"inline": {"keys": [{"kty": "EC", "crv": "P-256", "x": SHARED, "y": SHARED, "d": SHARED}]}}),
        ),
        with(asked),
        with(json!({"type": "api_key", "keys": [{"id": "ci", "sha256": API_KEY}]})),
        with(json!({"type": "hmac", "scheme": "standard-webhooks", "secrets": [format!("whsec_{WEBHOOK}!")]})),
        with(json!({"type": "hmac", "scheme": "github", "secrets": [{"file": WEBHOOK}]})),
    ]
    .iter()
    .map(Value::to_string)
    .chain([format!("{{\"authorizer\": {{\"type\": \"jwt\", \"secret\": \"{SHARED}\"")])
    .collect()
}

fn introspection() -> Value {
    json!({
        "type": "introspection", "url": format!("http://{IDP}/introspect"), "cluster": "idp",
        "client_id": "gateway", "client_secret": CLIENT, "audiences": "*", "cache": {"negative_ttl": "1s"},
    })
}

fn mapping() -> Value {
    json!({"headers": {"x-user-id": "$identity.subject", "x-email": "$request.jwt.email"}})
}

/// A token that is bound to a key, and a proof of that key.
fn bound() -> (String, String) {
    let mut spec = TokenSpec::default();
    spec.claims["cnf"] = json!({"jkt": PrivateKey::named("es2").unwrap().thumbprint().unwrap()});
    let token = mint(&spec, now()).unwrap();
    let spec = TokenSpec { key: "es2".to_owned(), proof: Some(ProofSpec::default()), ..TokenSpec::default() };
    let proof = mint(&spec.of_proof("leaks", &token).unwrap(), now()).unwrap();
    (token, proof)
}

fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

const ISSUER: &str = "https://idp.example.com";
const CLIENT: &str = "client+secret/9f1c2b7d5e";
const SHARED: &str = "shared-secret-of-32-bytes-or-more-4d1a";
const WEBHOOK: &str = "webhook-secret-77b0c4e2a95f";
const SIGNING: &str = "signing-secret-of-32-bytes-or-more-c3b9";
const PROVIDERS: &str = "the-provider-should-not-publish-this-0a6e";
const API_KEY: &str = "gp_live_4eC39HqLyjWDarjtT1zdp7dc";
const OPAQUE: &str = "2YotnFZFEjr1zCsicMWpAA";
const EMAIL: &str = "alice.liddell@example.com";
const SUBJECT: &str = "auth0|5f7c8ec7c33c6c004bbafe82";
const REVOKED: &str = "auth0|000000000000000000revoked";
const NONCE: &str = "0123456789abcdef0123456789abcdef";
