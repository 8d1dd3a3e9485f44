//! Tokens of a real OpenID provider, npm's `oidc-provider`, through a real Envoy: what the scripted provider of the
//! scenarios could get wrong in the same way as the filter. `make test` fetches it.

use std::{
    collections::BTreeMap,
    env,
    net::{Ipv4Addr, TcpListener},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use wasm_test_harness::envoy::Process;

mod oidc;

use oidc::{CLIENT_CREDENTIALS, Client, Gateway, Provider, header, with, with_keys};

#[test]
fn tokens_of_every_algorithm_are_accepted_and_their_claims_arrive() {
    let idp = Idp::start();
    let gateway = Gateway::start(
        &idp,
        json!({"discovered": idp.discovered(), "remote": idp.remote(), "shared": idp.shared()}),
        &[("/discovered", json!("discovered")), ("/remote", json!("remote")), ("/shared", json!("shared"))],
        2,
    );
    for (algorithm, authenticators) in ALGORITHMS {
        let token = idp.token(algorithm, "orders:read");
        assert_eq!(header(&token)["alg"], *algorithm);
        for authenticator in *authenticators {
            let identity = gateway.ask(&format!("/{authenticator}"), &token);
            let expected = BTreeMap::from([
                ("x-authenticator", *authenticator),
                ("x-issuer", idp.issuer()),
                ("x-subject", ORDERS.id),
                ("x-client", ORDERS.id),
                ("x-scope", "orders:read"),
                ("x-roles", "clerk"),
            ]);
            let expected = expected.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            assert_eq!(identity, Ok(expected), "{algorithm}");
        }
    }
}

#[test]
fn expired_tokens_and_tokens_for_others_are_refused() {
    let idp = Idp::start();
    let users = with(idp.discovered(), json!({"clock_skew": "1ms"}));
    let opaque = with(idp.introspected(), json!({"clock_skew": "1ms"}));
    let auth = [("/users", json!("users")), ("/opaque", json!("opaque"))];
    let gateway = Gateway::start(&idp, json!({"users": users, "opaque": opaque}), &auth, 2);
    // Nothing is cached past `exp`: of an opaque token the provider is asked again, and says no more than `inactive`.
    let cases = [("/users", "ES256", "401 token_expired"), ("/opaque", "opaque", "401 invalid_token")];
    let brief = cases.map(|(_, form, _)| idp.token_for("api", form, 8, "orders:read"));
    for ((path, _, _), token) in cases.iter().zip(&brief) {
        gateway.ask(path, token).unwrap();
    }
    for ((path, form, expired), token) in cases.iter().zip(&brief) {
        assert_eq!(gateway.refusal(path, token), *expired, "{path}");
        let elsewhere = idp.token_for("elsewhere", form, 600, "orders:read");
        assert_eq!(gateway.ask(path, &elsewhere).unwrap_err(), "403 invalid_audience", "{path}");
    }
}

#[test]
fn new_keys_work_at_once_and_removed_ones_until_the_next_refresh() {
    let idp = Idp::start();
    let seldom = with_keys(idp.discovered(), json!({"refresh": "1h", "max_stale": "2h", "cooldown": "1s"}));
    let often = with_keys(idp.remote(), json!({"refresh": "2s", "cooldown": "1h"}));
    let auth = [("/seldom", json!("seldom")), ("/often", json!("often"))];
    let gateway = Gateway::start(&idp, json!({"seldom": seldom, "often": often}), &auth, 2);
    let old = idp.token("RS256", "orders:read");
    for path in ["/seldom", "/often"] {
        gateway.ask(path, &old).unwrap();
    }

    thread::sleep(Duration::from_secs(2)); // longer than the cooldown
    idp.test("POST", "add-keys");
    let new = idp.token("RS256", "orders:read");
    assert_ne!(header(&old)["kid"], header(&new)["kid"]);
    gateway.ask("/seldom", &new).unwrap();
    gateway.ask("/seldom", &old).unwrap();

    idp.test("POST", "remove-keys");
    assert_eq!(gateway.refusal("/often", &old), "401 invalid_token");
    gateway.ask("/often", &new).unwrap();
    gateway.ask("/seldom", &old).unwrap();
}

#[test]
fn opaque_tokens_are_accepted_for_what_they_are() {
    let idp = Idp::start();
    let stranger = with(idp.introspected(), json!({"client_secret": "not-the-secret"}));
    let gateway = Gateway::start(
        &idp,
        json!({"opaque": idp.introspected(), "stranger": stranger}),
        &[
            ("/opaque", json!("opaque")),
            ("/write", json!({"use": "opaque", "scopes": ["orders:write"]})),
            ("/clerk", json!({"use": "opaque", "roles": ["clerk"]})),
            ("/admin", json!({"use": "opaque", "roles": ["admin"]})),
            ("/stranger", json!("stranger")),
        ],
        2,
    );
    let reader = idp.token("opaque", "orders:read");
    let identity = gateway.ask("/opaque", &reader).unwrap();
    let expected = [
        ("x-authenticator", "opaque"),
        ("x-issuer", idp.issuer()),
        ("x-client", ORDERS.id),
        ("x-scope", "orders:read"),
        ("x-roles", "clerk"),
    ];
    assert_eq!(identity, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(gateway.ask("/write", &reader).unwrap_err(), "403 insufficient_scope");
    gateway.ask("/write", &idp.token("opaque", "orders:read orders:write")).unwrap();
    gateway.ask("/clerk", &reader).unwrap();
    assert_eq!(gateway.ask("/admin", &reader).unwrap_err(), "403 insufficient_role");
    assert_eq!(gateway.ask("/opaque", "no-token-of-the-provider").unwrap_err(), "401 invalid_token");
    // The provider does not know the gateway by this secret: the caller's token is not to blame.
    assert_eq!(gateway.ask("/stranger", &reader).unwrap_err(), "503 provider_unavailable");
    let log = gateway.log();
    assert!(log.contains("authenticators.stranger: a token could not be looked up"), "the operator is told: {log}");
    for secret in [reader.as_str(), GATEWAY.secret, "not-the-secret"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn a_revoked_token_works_until_the_cache_forgets_it() {
    let idp = Idp::start();
    let opaque = with(idp.introspected(), json!({"cache": {"ttl": "8s", "negative_ttl": "1s"}}));
    // One worker: each has a cache of its own.
    let gateway = Gateway::start(&idp, json!({"opaque": opaque}), &[("/", json!("opaque"))], 1);
    let token = idp.token("opaque", "orders:read");
    gateway.ask("/", &token).unwrap();
    idp.revoke(ORDERS, &token);
    gateway.ask("/", &token).unwrap();
    assert_eq!(idp.introspections(), 1, "the cache answered");
    assert_eq!(gateway.refusal("/", &token), "401 invalid_token");
    assert_eq!(idp.introspections(), 2, "the cache forgot");
}

#[test]
fn both_kinds_of_token_are_accepted_and_the_endpoint_sees_one_kind() {
    let idp = Idp::start();
    let authenticators = json!({"users": idp.discovered(), "opaque": idp.introspected()});
    let gateway = Gateway::start(&idp, authenticators, &[("/", json!({"any": ["users", "opaque"]}))], 1);
    let jwt = idp.token("ES256", "orders:read");
    assert_eq!(gateway.ask("/", &jwt).unwrap()["x-authenticator"], "users");
    assert_eq!(gateway.ask("/", &flip(&jwt)).unwrap_err(), "401 invalid_token");
    let elsewhere = idp.token_for("elsewhere", "ES256", 600, "orders:read");
    assert_eq!(gateway.ask("/", &elsewhere).unwrap_err(), "403 invalid_audience");
    assert_eq!(idp.introspections(), 0, "a token of an issuer whose keys are known is not for the endpoint");
    let opaque = idp.token("opaque", "orders:read");
    assert_eq!(gateway.ask("/", &opaque).unwrap()["x-authenticator"], "opaque");
    assert_eq!(gateway.ask("/", "no-token-of-the-provider").unwrap_err(), "401 invalid_token");
    assert_eq!(idp.introspections(), 2);
}

/// `tests/oidc/provider.mjs`, as a process of its own.
struct Idp {
    provider: Provider,
    _node: Process,
}

impl std::ops::Deref for Idp {
    type Target = Provider;

    fn deref(&self) -> &Provider {
        &self.provider
    }
}

impl Idp {
    fn start() -> Self {
        let clients = [ORDERS, GATEWAY].map(|client| json!({"id": client.id, "secret": client.secret}));
        let settings = json!({"clients": clients, "shared_secret": SHARED_SECRET});
        // The socket is made here and handed over: its port is known and taken, and who connects early waits.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let mut node = Command::new("node");
        node.arg(root().join("tests/oidc/provider.mjs")).arg(library()).arg(settings.to_string());
        node.stdin(OwnedFd::from(listener)).stdout(Stdio::null());
        let node = Process::start(node).unwrap();
        Self { provider: Provider::discover(&issuer), _node: node }
    }

    fn issuer(&self) -> &str {
        self.url("issuer")
    }

    fn token(&self, form: &str, scope: &str) -> String {
        self.token_for("api", form, 600, scope)
    }

    /// A token in a form: `opaque`, or a JWT of an algorithm.
    fn token_for(&self, audience: &str, form: &str, seconds: u32, scope: &str) -> String {
        let resource = format!("urn:{audience}:{form}:{seconds}");
        self.provider.token(ORDERS, &[CLIENT_CREDENTIALS, ("resource", &resource), ("scope", scope)])
    }

    /// How often the introspection endpoint was asked.
    fn introspections(&self) -> u64 {
        let path = self.url("introspection_endpoint").strip_prefix(self.issuer()).unwrap();
        oidc::read(self.test("GET", "requests"))[format!("POST {path}")].as_u64().unwrap_or(0)
    }

    fn test(&self, method: &str, what: &str) -> wasm_test_harness::client::Response {
        let response = oidc::send(method, &format!("{}/test/{what}", self.issuer()), &[], "").unwrap();
        assert_eq!(response.status, 200);
        response
    }

    fn discovered(&self) -> Value {
        self.jwt(json!({"jwks": {"discovery": {"issuer": self.issuer(), "cluster": "idp"}}}))
    }

    fn remote(&self) -> Value {
        self.jwt(json!({"jwks": {"remote": {"url": self.url("jwks_uri"), "cluster": "idp"}}}))
    }

    fn shared(&self) -> Value {
        self.jwt(json!({"secret": SHARED_SECRET}))
    }

    fn jwt(&self, keys: Value) -> Value {
        with(
            json!({"type": "jwt", "issuer": self.issuer(), "audiences": ["api"], "roles_claim": "realm_access.roles"}),
            keys,
        )
    }

    fn introspected(&self) -> Value {
        json!({
            "type": "introspection",
            "url": self.url("introspection_endpoint"),
            "cluster": "idp",
            "client_id": GATEWAY.id,
            "client_secret": GATEWAY.secret,
            "timeout": "5s",
            "issuer": self.issuer(),
            "audiences": ["api"],
            "roles_claim": "realm_access.roles",
        })
    }
}

/// The same token with one bit of its signature changed.
fn flip(token: &str) -> String {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    signature[10] ^= 1;
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where `wasm-test-harness/setup/oidc-provider.sh` put the library.
fn library() -> PathBuf {
    let folder = env::var_os("GATEPOST_OIDC_PROVIDER");
    folder.expect("GATEPOST_OIDC_PROVIDER is not set; run the tests by `make test`, which sets it").into()
}

/// Who gets tokens.
const ORDERS: Client = Client { id: "orders", secret: "of-the-orders-client" };
/// Who introspects: nothing in either that may stand in a form, or in Basic's pair, as it is (RFC 6749 §2.3.1).
const GATEWAY: Client = Client { id: "gate way:1%+/", secret: "p@ss: %2B+/=&\"~\\" };
/// Long enough for HS512.
const SHARED_SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Every algorithm, and who verifies it.
const ALGORITHMS: &[(&str, &[&str])] = &[
    ("RS256", BY_KEY),
    ("RS384", BY_KEY),
    ("RS512", BY_KEY),
    ("PS256", BY_KEY),
    ("PS384", BY_KEY),
    ("PS512", BY_KEY),
    ("ES256", BY_KEY),
    ("ES384", BY_KEY),
    ("ES512", BY_KEY),
    ("EdDSA", BY_KEY),
    ("Ed25519", BY_KEY),
    ("HS256", &["shared"]),
    ("HS384", &["shared"]),
    ("HS512", &["shared"]),
];
const BY_KEY: &[&str] = &["discovered", "remote"];
