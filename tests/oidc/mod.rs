//! What the tests against real identity providers share: a provider's endpoints, and an Envoy that asks them.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use form_urlencoded::{Serializer, byte_serialize};
use http::Uri;
use serde_json::{Value, json};
use wasm_test_harness::{
    client::{self, Response},
    echo::{Echo, Seen},
    envoy::{self, Endpoint, Envoy, Listener},
    module_path,
};

/// An identity provider that runs.
pub struct Provider {
    metadata: Value,
}

/// A client of the provider's.
#[derive(Clone, Copy)]
pub struct Client {
    pub id: &'static str,
    pub secret: &'static str,
}

impl Provider {
    /// Reads the provider's metadata, as soon as it is there.
    pub fn discover(issuer: &str) -> Self {
        let url = format!("{issuer}/.well-known/openid-configuration");
        let end = Instant::now() + PATIENCE;
        let response = loop {
            match send("GET", &url, &[], "") {
                Ok(response) => break response,
                Err(error) => assert!(Instant::now() < end, "{url}: {error}"),
            }
            thread::sleep(Duration::from_millis(100));
        };
        Self { metadata: read(response) }
    }

    /// A member of the metadata: `issuer`, `jwks_uri`, `introspection_endpoint`.
    pub fn url(&self, member: &str) -> &str {
        self.metadata[member].as_str().unwrap_or_else(|| panic!("no {member}: {}", self.metadata))
    }

    pub fn address(&self) -> SocketAddr {
        address(self.url("issuer"))
    }

    /// An access token by a grant (RFC 6749 §4), whose type and parameters are given.
    pub fn token(&self, client: Client, grant: &[(&str, &str)]) -> String {
        let answer = read(client.post(self.url("token_endpoint"), grant));
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Revokes a token (RFC 7009).
    pub fn revoke(&self, client: Client, token: &str) {
        let response = client.post(self.url("revocation_endpoint"), &[("token", token)]);
        assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    }
}

impl Client {
    fn post(self, url: &str, form: &[(&str, &str)]) -> Response {
        // RFC 6749 §2.3.1: both are form-encoded first.
        let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let credentials = STANDARD.encode(format!("{}:{}", encode(self.id), encode(self.secret)));
        let headers = [
            ("authorization", format!("Basic {credentials}")),
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ];
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        send("POST", url, &headers, &body).unwrap_or_else(|error| panic!("{url}: {error}"))
    }
}

/// Envoy with the module, and the provider as its cluster `idp`.
pub struct Gateway {
    envoy: Envoy,
    address: SocketAddr,
    _service: Echo,
}

impl Gateway {
    /// Starts it; every path is a GET route whose `auth` is given.
    pub fn start(provider: &Provider, authenticators: Value, auth: &[(&str, Value)], workers: u32) -> Self {
        let mapping = json!({"headers": {
            "x-authenticator": "$identity.authenticator",
            "x-issuer": "$request.jwt.iss",
            "x-subject": "$request.jwt.sub",
            "x-client": "$request.jwt.client_id",
            "x-scope": "$request.jwt.scope",
            "x-roles": "$identity.roles",
        }});
        let route =
            |(path, auth): &(&str, Value)| json!({"method": "GET", "path": path, "auth": auth, "mapping": mapping});
        let configuration =
            json!({"authenticators": authenticators, "paths": auth.iter().map(route).collect::<Vec<_>>()});
        let service = Echo::spawn().unwrap();
        let module = module_path();
        let environment = BTreeMap::new();
        let gateway = envoy::Gateway {
            module: &module,
            environment: &environment,
            service: service.address(),
            clusters: [("idp".to_owned(), Endpoint::At(provider.address()))].into(),
            direct_responses: BTreeMap::new(),
            http2_upstream: false,
        };
        let listener = Listener {
            name: "orders".to_owned(),
            configuration: configuration.to_string(),
            normalize_path: false,
            stop_iteration: false,
        };
        let bootstrap = gateway.bootstrap(&[listener]);
        let envoy = Envoy::start(&bootstrap, workers).unwrap_or_else(|error| panic!("{error}"));
        let address = envoy.listener("orders").unwrap_or_else(|| panic!("{}", envoy.log()));
        Self { envoy, address, _service: service }
    }

    /// Sends a request with a token, and with forged identity. What the service learned of the caller, or how the
    /// gateway refused: `401 token_expired`.
    pub fn ask(&self, path: &str, token: &str) -> Result<BTreeMap<String, String>, String> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: api.example.com\r\nx-subject: forged\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        let response = client::send(self.address, request.as_bytes(), false)
            .unwrap_or_else(|error| panic!("{path}: {error}; the end of Envoy's log:\n{}", self.envoy.log()));
        let Some(echo) = response.header("x-echo") else {
            let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
            return Err(format!("{} {}", response.status, body["error"].as_str().unwrap_or("without a code")));
        };
        let seen = Seen::read(echo, &response.body).unwrap();
        assert!(seen.headers.iter().all(|(name, _)| name != "authorization"), "the credential stays at the gateway");
        let identity = seen.headers.into_iter().filter(|(name, _)| MAPPED.contains(&name.as_str()));
        Ok(identity.map(|(name, value)| (name, String::from_utf8(value.0).unwrap())).collect())
    }

    /// What Envoy and the filter have logged.
    pub fn log(&self) -> String {
        self.envoy.log()
    }

    /// Asks again and again until the gateway refuses, and tells how.
    pub fn refusal(&self, path: &str, token: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.ask(path, token) {
                Err(refusal) => return refusal,
                Ok(identity) => assert!(Instant::now() < end, "{path} still lets {identity:?} through"),
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Sends a request to `http://address:port/...`.
pub fn send(method: &str, url: &str, headers: &[(&str, String)], body: &str) -> std::io::Result<Response> {
    let uri: Uri = url.parse().unwrap();
    let (authority, path) = (uri.authority().unwrap(), uri.path_and_query().unwrap());
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {authority}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    client::send(address(url), format!("{request}\r\n{body}").as_bytes(), false)
}

/// The JSON of a good answer.
pub fn read(response: Response) -> Value {
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    serde_json::from_slice(&response.body).unwrap()
}

/// The same authenticator with further members.
pub fn with(mut authenticator: Value, members: Value) -> Value {
    json_patch::merge(&mut authenticator, &members);
    authenticator
}

/// The same with further members of `remote` or `discovery`.
pub fn with_keys(mut authenticator: Value, members: Value) -> Value {
    for source in authenticator["jwks"].as_object_mut().unwrap().values_mut() {
        json_patch::merge(source, &members);
    }
    authenticator
}

/// The header of a JWS.
pub fn header(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap()
}

fn address(url: &str) -> SocketAddr {
    let uri: Uri = url.parse().unwrap();
    uri.authority().unwrap().as_str().parse().unwrap()
}

/// What the mapping sets.
const MAPPED: [&str; 6] = ["x-authenticator", "x-issuer", "x-subject", "x-client", "x-scope", "x-roles"];

/// The grant of a client on its own behalf (RFC 6749 §4.4).
pub const CLIENT_CREDENTIALS: (&str, &str) = ("grant_type", "client_credentials");

/// A bound on hangs: how long something that must come may take. A token that does not end by itself lives longer.
const PATIENCE: Duration = Duration::from_secs(60);
