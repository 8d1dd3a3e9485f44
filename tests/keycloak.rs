//! Tokens of a real Keycloak through a real Envoy. Keycloak is big, and needs Java: `make e2e-keycloak` fetches it and
//! runs these tests, `make test` does not.
//!
//! Its realm is `tests/oidc/keycloak-realm.json`. Each client there gets another kind of token, and is called by it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use wasm_test_harness::{client::Response, envoy::Process};

mod oidc;

use oidc::{CLIENT_CREDENTIALS, Client, Gateway, Provider, with, with_keys};

#[test]
#[ignore = "make e2e-keycloak runs it"]
fn tokens_are_accepted_and_their_roles_arrive() {
    let keycloak = keycloak();
    let gateway = Gateway::start(
        &keycloak.realm,
        json!({"discovered": keycloak.discovered(), "remote": keycloak.remote()}),
        &[
            ("/discovered", json!("discovered")),
            ("/remote", json!("remote")),
            ("/clerk", json!({"use": "remote", "roles": ["clerk"]})),
            ("/admin", json!({"use": "remote", "roles": ["admin"]})),
            ("/write", json!({"use": "remote", "scopes": ["orders:write"]})),
        ],
        2,
    );
    for client in ["rs256", "es256"] {
        let token = keycloak.token(client);
        assert_eq!(oidc::header(&token)["alg"], client.to_uppercase());
        for path in ["/discovered", "/remote"] {
            let mut identity = gateway.ask(path, &token).unwrap();
            // Keycloak chose it: a UUID.
            assert_eq!(identity.remove("x-subject").unwrap().len(), 36);
            let expected = [
                ("x-authenticator", &path[1..]),
                ("x-issuer", keycloak.realm.url("issuer")),
                ("x-scope", "orders:read"),
                ("x-roles", "clerk"),
            ];
            assert_eq!(identity, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        }
        gateway.ask("/clerk", &token).unwrap();
        assert_eq!(gateway.ask("/admin", &token).unwrap_err(), "403 insufficient_role");
        assert_eq!(gateway.ask("/write", &token).unwrap_err(), "403 insufficient_scope");
    }
}

#[test]
#[ignore = "make e2e-keycloak runs it"]
fn expired_tokens_and_tokens_for_others_are_refused() {
    let keycloak = keycloak();
    let users = with(keycloak.discovered(), json!({"clock_skew": "1ms"}));
    let gateway = Gateway::start(&keycloak.realm, json!({"users": users}), &[("/", json!("users"))], 2);
    let brief = keycloak.token("short-lived");
    gateway.ask("/", &brief).unwrap();
    assert_eq!(gateway.refusal("/", &brief), "401 token_expired");
    assert_eq!(gateway.ask("/", &keycloak.token("elsewhere")).unwrap_err(), "403 invalid_audience");
}

#[test]
#[ignore = "make e2e-keycloak runs it"]
fn new_keys_work_at_once_and_removed_ones_until_the_next_refresh() {
    let keycloak = keycloak();
    let seldom = with_keys(keycloak.discovered(), json!({"refresh": "1h", "max_stale": "2h", "cooldown": "1s"}));
    let often = with_keys(keycloak.remote(), json!({"refresh": "2s", "cooldown": "1h"}));
    let auth = [("/seldom", json!("seldom")), ("/often", json!("often"))];
    let gateway = Gateway::start(&keycloak.realm, json!({"seldom": seldom, "often": often}), &auth, 2);
    let old = keycloak.token("rs256");
    for path in ["/seldom", "/often"] {
        gateway.ask(path, &old).unwrap();
    }

    thread::sleep(Duration::from_secs(2)); // longer than the cooldown
    let before = keycloak.keys();
    keycloak.add_key();
    let new = keycloak.token("rs256");
    assert_ne!(oidc::header(&old)["kid"], oidc::header(&new)["kid"]);
    gateway.ask("/seldom", &new).unwrap();
    gateway.ask("/seldom", &old).unwrap();

    keycloak.remove_keys(&before);
    assert_eq!(gateway.refusal("/often", &old), "401 invalid_token");
    gateway.ask("/often", &new).unwrap();
    gateway.ask("/seldom", &old).unwrap();
}

#[test]
#[ignore = "make e2e-keycloak runs it"]
fn lightweight_tokens_are_looked_up_until_they_are_revoked() {
    let keycloak = keycloak();
    let lightweight = with(keycloak.introspected(), json!({"cache": {"ttl": "8s", "negative_ttl": "1s"}}));
    let gateway = Gateway::start(
        &keycloak.realm,
        json!({"lightweight": lightweight}),
        &[
            ("/", json!("lightweight")),
            ("/clerk", json!({"use": "lightweight", "roles": ["clerk"]})),
            ("/write", json!({"use": "lightweight", "scopes": ["orders:write"]})),
        ],
        // One worker: each has a cache of its own.
        1,
    );
    let token = keycloak.token("lightweight");
    let mut identity = gateway.ask("/", &token).unwrap();
    assert_eq!(identity.remove("x-subject").unwrap().len(), 36);
    let expected = [
        ("x-authenticator", "lightweight"),
        ("x-issuer", keycloak.realm.url("issuer")),
        ("x-client", "lightweight"),
        ("x-scope", "orders:read"),
        ("x-roles", "clerk"),
    ];
    assert_eq!(identity, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    keycloak.realm.revoke(client("lightweight"), &token);
    gateway.ask("/clerk", &token).unwrap();
    assert_eq!(gateway.ask("/write", &token).unwrap_err(), "403 insufficient_scope");
    assert_eq!(gateway.refusal("/", &token), "401 invalid_token");
    assert_eq!(gateway.ask("/", &keycloak.token("elsewhere")).unwrap_err(), "403 invalid_audience");
    assert_eq!(gateway.ask("/", "no-token-of-the-provider").unwrap_err(), "401 invalid_token");
    let log = gateway.log();
    assert!(log.contains("configured") && !log.contains(&token) && !log.contains(GATEWAY.secret), "{log}");
}

#[test]
#[ignore = "make e2e-keycloak runs it"]
fn a_user_who_logged_out_is_refused_once_the_cache_forgets() {
    let keycloak = keycloak();
    let opaque = with(keycloak.introspected(), json!({"cache": {"ttl": "2s", "negative_ttl": "1s"}}));
    let gateway = Gateway::start(&keycloak.realm, json!({"opaque": opaque}), &[("/", json!("opaque"))], 2);
    let password = [("grant_type", "password"), ("username", "alice"), ("password", "of-alice")];
    let token = keycloak.realm.token(client("lightweight"), &password);
    let alice = gateway.ask("/", &token).unwrap().remove("x-subject").unwrap();
    assert_eq!(keycloak.administer("POST", &format!("users/{alice}/logout"), "").status, 204);
    assert_eq!(gateway.refusal("/", &token), "401 invalid_token");
}

/// Keycloak as a process of its own, which ends with this one.
struct Keycloak {
    realm: Provider,
    master: Provider,
    _java: Process,
}

/// The one Keycloak of these tests, for one of them at a time: keys change under them all.
fn keycloak() -> MutexGuard<'static, Keycloak> {
    static KEYCLOAK: LazyLock<Mutex<Keycloak>> = LazyLock::new(|| Mutex::new(Keycloak::start()));
    KEYCLOAK.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Keycloak {
    fn start() -> Self {
        let home = home();
        let import = home.join("data/import");
        fs::create_dir_all(&import).unwrap();
        let realm = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/oidc/keycloak-realm.json");
        fs::copy(realm, import.join("gatepost-realm.json")).unwrap();
        let log = home.join("test.log");
        let mut java = Command::new(home.join("start"));
        java.args(["--http-host=127.0.0.1", "--http-port=0", "--import-realm"]);
        java.env("KC_BOOTSTRAP_ADMIN_CLIENT_ID", ADMIN.id).env("KC_BOOTSTRAP_ADMIN_CLIENT_SECRET", ADMIN.secret);
        java.stdin(Stdio::null()).stdout(fs::File::create(&log).unwrap()).stderr(Stdio::inherit());
        let java = Process::start(java).unwrap();
        let address = wait_for_address(&java, &log);
        let discover = |realm| Provider::discover(&format!("{address}/realms/{realm}"));
        Self { realm: discover("gatepost"), master: discover("master"), _java: java }
    }

    fn token(&self, id: &'static str) -> String {
        self.realm.token(client(id), &[CLIENT_CREDENTIALS, ("scope", "orders:read")])
    }

    /// The ids of the keys that sign RS256.
    fn keys(&self) -> Vec<String> {
        let keys = oidc::read(self.administer("GET", "components?type=org.keycloak.keys.KeyProvider", ""));
        let rsa = keys.as_array().unwrap().iter().filter(|key| key["providerId"] == "rsa-generated");
        rsa.map(|key| key["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Adds a key for RS256 that goes before those that are there.
    fn add_key(&self) {
        let key = json!({
            "name": "newer",
            "providerId": "rsa-generated",
            "providerType": "org.keycloak.keys.KeyProvider",
            "config": {"priority": ["200"], "algorithm": ["RS256"]},
        });
        assert_eq!(self.administer("POST", "components", &key.to_string()).status, 201);
    }

    fn remove_keys(&self, ids: &[String]) {
        for id in ids {
            assert_eq!(self.administer("DELETE", &format!("components/{id}"), "").status, 204);
        }
    }

    fn administer(&self, method: &str, what: &str, body: &str) -> Response {
        let token = self.master.token(ADMIN, &[CLIENT_CREDENTIALS]);
        let headers = [("authorization", format!("Bearer {token}")), ("content-type", "application/json".to_owned())];
        let url = format!("http://{}/admin/realms/gatepost/{what}", self.master.address());
        oidc::send(method, &url, &headers, body).unwrap()
    }

    fn discovered(&self) -> Value {
        self.jwt(json!({"discovery": {"issuer": self.realm.url("issuer"), "cluster": "idp"}}))
    }

    fn remote(&self) -> Value {
        self.jwt(json!({"remote": {"url": self.realm.url("jwks_uri"), "cluster": "idp"}}))
    }

    fn jwt(&self, jwks: Value) -> Value {
        let issuer = self.realm.url("issuer");
        let roles = "realm_access.roles";
        json!({"type": "jwt", "issuer": issuer, "audiences": ["api"], "roles_claim": roles, "jwks": jwks})
    }

    fn introspected(&self) -> Value {
        json!({
            "type": "introspection",
            "url": self.realm.url("introspection_endpoint"),
            "cluster": "idp",
            "client_id": GATEWAY.id,
            "client_secret": GATEWAY.secret,
            "timeout": "5s",
            "issuer": self.realm.url("issuer"),
            "audiences": ["api"],
            "roles_claim": "realm_access.roles",
        })
    }
}

/// Keycloak takes a free port and says which in its log.
fn wait_for_address(java: &Process, log: &Path) -> String {
    let end = Instant::now() + Duration::from_secs(180);
    loop {
        let text = String::from_utf8_lossy(&fs::read(log).unwrap()).into_owned();
        let address = text.split_once("Listening on: ").and_then(|(_, rest)| rest.split_once('\n'));
        if let Some((address, _)) = address {
            return address.trim().to_owned();
        }
        assert!(java.is_alive() && Instant::now() < end, "Keycloak does not start:\n{text}");
        thread::sleep(Duration::from_millis(200));
    }
}

fn client(id: &'static str) -> Client {
    Client { id, secret: "of-a-test-client" }
}

/// Where `wasm-test-harness/setup/keycloak.sh` put it.
fn home() -> PathBuf {
    let folder = env::var_os("GATEPOST_KEYCLOAK");
    folder.expect("GATEPOST_KEYCLOAK is not set; run these tests by `make e2e-keycloak`, which sets it").into()
}

/// Who introspects, as the realm has it: nothing in either that may stand in Basic's pair as it is (RFC 6749 §2.3.1).
const GATEWAY: Client = Client { id: "gate way:1%+/", secret: "p@ss: %2B+/=&\"~\\" };
const ADMIN: Client = Client { id: "harness", secret: "of-the-harness" };
