//! Envoy with the module, a service and a scripted provider.

use std::{
    collections::BTreeMap,
    io::Write as _,
    net::{SocketAddr, TcpStream},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use wasm_test_harness::{
    client::{
        self, Response,
        burst::{self, Outcomes, Request},
    },
    echo::{Echo, Seen},
    envoy::{Endpoint, Envoy, Gateway, Listener, lds_resources},
    mint::{TokenSpec, jwks, mint},
    module_path,
    provider::Provider,
};

/// The provider's authority.
pub const IDP: &str = "idp.test";
/// The secret of the introspection's client.
pub const CLIENT_SECRET: &str = "hush-hush-hush";
/// A bound for what should be done in no time, on a machine that is busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running gateway.
pub struct Running {
    pub provider: Provider,
    envoy: Envoy,
    addresses: BTreeMap<String, SocketAddr>,
    echo: Echo,
    /// A provider that is down: the cluster `down` leads to it.
    down: Provider,
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Running {
    /// Starts Envoy with some listeners and the provider behind the cluster `idp`, in turn with the other tests: a
    /// thousand requests at once are as much as a small machine can do.
    pub fn start(workers: u32, provider: Provider, listeners: &[(&str, Value)]) -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        Self { _turn: Some(turn), ..Self::start_beside(workers, provider, listeners) }
    }

    /// As [`start`](Self::start), beside the other tests.
    pub fn start_beside(workers: u32, provider: Provider, listeners: &[(&str, Value)]) -> Self {
        burst::raise_file_limit().unwrap();
        let echo = Echo::spawn().unwrap();
        let down = Provider::spawn().unwrap();
        down.down().unwrap();
        let (bootstrap, lds) = resources(&provider, &echo, &down, listeners);
        let envoy =
            Envoy::start_with(&bootstrap, &[("lds.json", lds)], workers).unwrap_or_else(|error| panic!("{error}"));
        let addresses = envoy.listeners().into_iter().collect();
        Self { provider, envoy, addresses, echo, down, _turn: None }
    }

    /// Puts other listeners into the place of these, and waits until they are gone.
    pub fn replace(&mut self, listeners: &[(&str, Value)]) {
        let (_, lds) = resources(&self.provider, &self.echo, &self.down, listeners);
        self.envoy.replace_listeners(&lds).unwrap();
        self.addresses = self.envoy.listeners().into_iter().collect();
    }

    /// Where a listener listens.
    pub fn address(&self, listener: &str) -> SocketAddr {
        self.addresses[listener]
    }

    /// Sends one request with a token.
    pub fn get(&self, listener: &str, path: &str, token: &str) -> Response {
        let request = bytes(path, token);
        client::send(self.address(listener), &request, false)
            .unwrap_or_else(|error| panic!("{listener} {path}: {error}"))
    }

    /// Sends a request and goes away when the connection is dropped.
    pub fn send_and_hold(&self, listener: &str, path: &str, token: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address(listener)).unwrap();
        stream.write_all(&bytes(path, token)).unwrap();
        stream
    }

    /// Sends requests, each over a connection of its own and all at once, and does something meanwhile.
    pub fn burst(&self, listener: &str, requests: Vec<Request>, meanwhile: impl FnOnce()) -> Outcomes {
        let (address, connections) = (self.address(listener), requests.len());
        beside(|| burst::send(address, requests, connections, PATIENCE).unwrap(), meanwhile)
    }

    /// As [`burst`](Self::burst), over a single connection of HTTP/2.
    pub fn burst_over_one(&self, listener: &str, requests: Vec<Request>, meanwhile: impl FnOnce()) -> Outcomes {
        let address = self.address(listener);
        beside(|| burst::send_over_one(address, requests, PATIENCE).unwrap(), meanwhile)
    }

    /// How many requests wait, on all workers.
    pub fn waiting(&self) -> u64 {
        self.envoy.stat("wasmcustom.gatepost.waiting").expect("the module defines the gauge")
    }

    /// Waits until so many requests wait.
    pub fn until_waiting(&self, requests: u64) {
        let end = Instant::now() + PATIENCE;
        while self.waiting() != requests {
            assert!(Instant::now() < end, "{} requests wait, not {requests}: {:?}", self.waiting(), self.in_flight());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// A counter or gauge of Envoy's.
    pub fn stat(&self, name: &str) -> u64 {
        self.envoy.stat(name).unwrap_or(0)
    }

    /// What a request leaves in flight, by the names of Envoy's gauges, and the module's own.
    fn in_flight(&self) -> Vec<String> {
        let stats = self.envoy.admin("/stats?filter=rq_active$%7Crq_pending_active$%7Cgatepost.waiting$").unwrap();
        let text = String::from_utf8_lossy(&stats.body).into_owned();
        assert!(text.contains("http.gatepost.downstream_rq_active: "), "Envoy names its gauges otherwise: {text}");
        let own = |line: &&str| !line.starts_with("http.admin") && !line.ends_with(": 0");
        text.lines().filter(own).map(str::to_owned).collect()
    }

    /// Waits until nothing is in flight.
    pub fn until_idle(&self) {
        let end = Instant::now() + PATIENCE;
        while !self.in_flight().is_empty() {
            assert!(Instant::now() < end, "still in flight: {:?}", self.in_flight());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// What holds after every test: nothing is in flight, nothing trapped, and none of these secrets is in the log.
    pub fn finish(self, secrets: &[&str]) -> Provider {
        self.until_idle();
        let (traps, log) = (self.envoy.traps(), self.envoy.log());
        assert!(traps.is_empty() && self.envoy.is_alive(), "{}", traps.join("\n"));
        for secret in secrets.iter().chain(&[CLIENT_SECRET, basic().as_str()]) {
            assert!(!log.contains(secret), "a secret is in the log: {secret}");
        }
        self.provider
    }
}

/// The bootstrap, and the listeners' file.
fn resources(provider: &Provider, echo: &Echo, down: &Provider, listeners: &[(&str, Value)]) -> (Value, String) {
    let clusters = [
        ("idp", Endpoint::At(provider.address())),
        ("down", Endpoint::At(down.address())),
        ("nowhere", Endpoint::Nowhere),
    ];
    let (module, environment) = (module_path(), BTreeMap::new());
    let gateway = Gateway {
        module: &module,
        environment: &environment,
        service: echo.address(),
        clusters: clusters.map(|(name, endpoint)| (name.to_owned(), endpoint)).into(),
        direct_responses: BTreeMap::from([("/direct".to_owned(), 418)]),
        http2_upstream: false,
    };
    let listeners: Vec<Listener> = listeners
        .iter()
        .map(|(name, configuration)| Listener {
            name: (*name).to_owned(),
            configuration: configuration.to_string(),
            normalize_path: false,
            stop_iteration: false,
        })
        .collect();
    (gateway.bootstrap_with_lds(), lds_resources(&gateway, &listeners))
}

fn beside(send: impl FnOnce() -> Outcomes + Send, meanwhile: impl FnOnce()) -> Outcomes {
    thread::scope(|scope| {
        let sending = scope.spawn(send);
        meanwhile();
        sending.join().unwrap()
    })
}

/// Waits for something that has to come.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "it never came: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A configuration with a key set: `keys` is `{"remote": ...}` or `{"discovery": ...}`.
pub fn with_keys(keys: Value) -> Value {
    configuration(json!({
        "type": "jwt",
        "issuer": ["https://idp.example.com", "http://idp.test"],
        "audiences": ["api"],
        "jwks": keys,
    }))
}

/// Keys at `/jwks` of the provider, and what is otherwise about them.
pub fn remote(patch: Value) -> Value {
    let mut remote = json!({"url": format!("http://{IDP}/jwks"), "cluster": "idp", "timeout": "60s"});
    remote.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    with_keys(json!({ "remote": remote }))
}

/// A configuration with a fixed key, and a revocation list at `/revoked` of the provider.
pub fn revocation(patch: Value) -> Value {
    let mut list = json!({"url": format!("http://{IDP}/revoked"), "cluster": "idp"});
    list.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    configuration(json!({
        "type": "jwt",
        "issuer": "https://idp.example.com",
        "audiences": ["api"],
        "jwks": {"inline": jwks(&["es1"]).unwrap()},
        "revocation": list,
    }))
}

/// A configuration with introspection.
pub fn introspection(patch: Value) -> Value {
    let mut authorizer = json!({
        "type": "introspection",
        "url": format!("http://{IDP}/introspect"),
        "cluster": "idp",
        "client_id": "gateway",
        "client_secret": CLIENT_SECRET,
        "audiences": ["api"],
        "timeout": "60s",
    });
    authorizer.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    configuration(authorizer)
}

fn configuration(authorizer: Value) -> Value {
    json!({
        "authorizer": authorizer,
        "paths": [
            {
                "method": "GET",
                "path": "/orders/{.+}",
                "auth": true,
                "mapping": {"headers": {"x-user-id": "$request.jwt.sub"}},
            },
            {"method": "GET", "path": "/direct/{.+}", "auth": true},
            {
                "method": "GET",
                "path": "/nowhere/{.+}",
                "auth": true,
                "integration": {"type": "http_proxy", "server": "nowhere"},
            },
        ],
    })
}

/// A good token of a subject.
pub fn token(key: &str, subject: &str) -> String {
    token_with(key, json!({"sub": subject}))
}

/// A token with these claims besides the usual ones.
pub fn token_with(key: &str, claims: Value) -> String {
    let mut spec = TokenSpec { key: key.to_owned(), ..TokenSpec::default() };
    spec.claims.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    mint(&spec, now).unwrap()
}

/// The token with another `kid`; nobody has signed that.
pub fn with_kid(token: &str, kid: &str) -> String {
    let (_, rest) = token.split_once('.').unwrap();
    let header = URL_SAFE_NO_PAD.encode(json!({"alg": "ES256", "typ": "JWT", "kid": kid}).to_string());
    format!("{header}.{rest}")
}

/// A request of a burst.
pub fn request(path: &str, token: &str) -> Request {
    Request { path: path.to_owned(), headers: vec![("authorization".to_owned(), format!("Bearer {token}"))] }
}

/// Who the service was told that the caller is; nothing where the service was not reached.
pub fn user(response: &Response) -> Option<String> {
    let seen = Seen::read(response.header("x-echo")?, &response.body).unwrap();
    let user = seen.headers.into_iter().find(|(name, _)| name == "x-user-id")?;
    Some(String::from_utf8(user.1.0).unwrap())
}

/// Whether it is the answer of a gateway that cannot ask its provider.
pub fn is_unavailable(response: &Response) -> bool {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let retry: Option<u64> =
        response.header("retry-after").and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    response.status == 503 && body["error"] == "provider_unavailable" && retry.is_some_and(|seconds| seconds > 0)
}

/// A tally of one status alone.
pub fn only(status: u16, count: usize) -> BTreeMap<String, usize> {
    BTreeMap::from([(status.to_string(), count)])
}

fn basic() -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("gateway:{CLIENT_SECRET}"))
}

fn bytes(path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: gateway.example.com\r\nauthorization: Bearer {token}\r\n\r\n").into_bytes()
}
