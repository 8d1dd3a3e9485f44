//! Envoy with the module, a service and a scripted provider, and what it tells.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use wasm_test_harness::{
    client::{self, Response},
    echo::Echo,
    envoy::{Endpoint, Envoy, Gateway, Listener, lds_resources},
    mint::{TokenSpec, mint},
    module_path,
    provider::Provider,
};

/// The provider's authority.
pub const IDP: &str = "idp.test";

/// A running gateway.
pub struct Running {
    pub envoy: Envoy,
    _provider: Provider,
    _echo: Echo,
}

impl Running {
    /// Starts Envoy with a listener for each configuration, as envoy.yaml has it about statistics and access logs. Modules
    /// log from this level on.
    pub fn start(provider: Provider, level: &str, listeners: &[(&str, String)]) -> Self {
        let echo = Echo::spawn().unwrap();
        let (module, environment) = (module_path(), BTreeMap::new());
        let gateway = Gateway {
            module: &module,
            environment: &environment,
            service: echo.address(),
            clusters: BTreeMap::from([("idp".to_owned(), Endpoint::At(provider.address()))]),
            direct_responses: BTreeMap::new(),
            http2_upstream: false,
        };
        let listeners: Vec<Listener> = listeners
            .iter()
            .map(|(name, configuration)| Listener {
                name: (*name).to_owned(),
                configuration: configuration.clone(),
                normalize_path: false,
                stop_iteration: true,
            })
            .collect();
        let demo = demo();
        let mut bootstrap = gateway.bootstrap_with_lds();
        bootstrap["stats_config"] = demo["stats_config"].clone();
        bootstrap["stats_flush_interval"] = json!("0.2s"); // histograms are merged as often
        let mut lds: Value = serde_json::from_str(&lds_resources(&gateway, &listeners)).unwrap();
        for resource in lds["resources"].as_array_mut().unwrap() {
            manager(resource)["access_log"] = json!([{
                "name": "envoy.access_loggers.file",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                    "path": "{folder}/access.log",
                    "log_format": manager(&mut demo["static_resources"]["listeners"][0].clone())["access_log"][0]
                        ["typed_config"]["log_format"],
                },
            }]);
        }
        let envoy = Envoy::start_logging(&bootstrap, &[("lds.json", lds.to_string())], 1, level);
        Self { envoy: envoy.unwrap_or_else(|error| panic!("{error}")), _provider: provider, _echo: echo }
    }

    /// Where a listener listens.
    pub fn address(&self, listener: &str) -> SocketAddr {
        self.envoy.listener(listener).unwrap_or_else(|| panic!("no {listener}; {}", self.envoy.log()))
    }

    /// Sends a request with these headers, and tells the answer.
    pub fn send(&self, listener: &str, line: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let fields: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let request = format!("{line} HTTP/1.1\r\nhost: gateway.example.com\r\n{fields}{length}\r\n{body}");
        client::send(self.address(listener), request.as_bytes(), false)
            .unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Sends a GET with these headers, which is answered with a status.
    pub fn get(&self, path: &str, headers: &[(&str, &str)], status: u16) {
        let response = self.send("gateway", &format!("GET {path}"), headers, "");
        let body = String::from_utf8_lossy(&response.body);
        assert_eq!(response.status, status, "{path}: {body}\n{}", self.envoy.log());
    }

    /// What Prometheus is told.
    pub fn scrape(&self) -> String {
        let stats = self.envoy.admin("/stats/prometheus").unwrap();
        String::from_utf8(stats.body).unwrap()
    }

    /// The audit lines so far.
    pub fn audit(&self) -> Vec<Value> {
        let log = self.envoy.log();
        let lines = log.lines().filter_map(|line| Some(line.split_once("gatepost audit: ")?.1));
        lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }
}

/// envoy.yaml
pub fn demo() -> Value {
    let text = fs::read_to_string(root().join("envoy.yaml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

/// The connection manager of a listener.
pub fn manager(listener: &mut Value) -> &mut Value {
    &mut listener["filter_chains"][0]["filters"][0]["typed_config"]
}

/// A file of the repository.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Waits for something that has to come.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < end, "it never came: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A token with these claims besides the usual ones.
pub fn token(claims: Value) -> String {
    let mut spec = TokenSpec::default();
    spec.claims.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    mint(&spec, now()).unwrap()
}

pub fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// In Unix seconds.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Every way to verify that leaves a trace: keys from a provider, look-ups, API keys; a limit, a shadow, public routes.
pub fn configuration(patch: Value) -> String {
    let mut configuration = json!({
        "authenticators": {
            "users": {
                "type": "jwt",
                "issuer": "https://idp.example.com",
                "audiences": ["api"],
                "jwks": {"remote": {"url": format!("http://{IDP}/jwks"), "cluster": "idp"}},
                "revocation": {"url": format!("http://{IDP}/revoked"), "cluster": "idp", "by": "sub"},
            },
            "machines": {
                "type": "api_key",
                "keys": [{"id": "ci", "sha256": wasm_test_harness::echo::sha256(API_KEY.as_bytes())}],
            },
            "opaque-tokens": {
                "type": "introspection",
                "url": format!("http://{IDP}/introspect"),
                "cluster": "idp",
                "client_id": "gateway",
                "client_secret": "hush-hush-hush",
                "audiences": ["api"],
            },
        },
        "paths": [
            {"method": "GET", "path": "/orders/{id}", "auth": "users"},
            {"method": "GET", "path": "/admin/{.+}", "auth": {"use": "users", "roles": ["admin"]}},
            {"method": ["GET", "POST"], "path": "/keys/{.+}", "auth": "machines"},
            {"method": "GET", "path": "/limited", "auth": "machines", "rate_limit": {"requests": 1, "per": "1h"}},
            {"method": "GET", "path": "/opaque/{.+}", "auth": "opaque-tokens"},
            {"method": "GET", "path": "/shadow/{.+}", "auth": "users", "mode": "shadow"},
            {"method": "GET", "path": "/health", "auth": false},
        ],
    });
    configuration.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    configuration.to_string()
}

/// An API key that is good.
pub const API_KEY: &str = "gp_live_4eC39HqLyjWDarjtT1zdp7dc";
