//! The gateways of `deploy/` in a real Envoy with the real module: what they let through, and what not.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::Command,
    time::SystemTime,
};

use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use wasm_test_harness::{
    client,
    echo::{Echo, Seen, sha256},
    envoy::{self, Endpoint, Envoy, Gateway, Listener},
    mint::{TokenSpec, mint},
    module_path,
    provider::{Answer, Provider},
};

use crate::manifests;

#[test]
fn envoy_takes_every_bootstrap_as_it_stands() {
    for file in ["envoy/envoy.yaml", "envoy/per-route.yaml"] {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let authority = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
        let authorities = folder.path().join("authorities.pem");
        fs::write(&authorities, authority.pem()).unwrap();
        let text = fs::read_to_string(manifests::deploy(file)).unwrap();
        let there = text
            .replace(MODULE, module_path().to_str().unwrap())
            .replace("/etc/ssl/certs/ca-certificates.crt", authorities.to_str().unwrap());
        let validate = |text: &str| {
            let path = folder.path().join("envoy.yaml");
            fs::write(&path, text).unwrap();
            let mut command = Command::new(envoy::binary().unwrap());
            // The module reads its configuration here too, and with it the environment.
            for name in ["GITHUB_WEBHOOK_SECRET", "IDENTITY_TOKEN_KEY"] {
                command.env(name, manifests::environment(name).unwrap());
            }
            command.args(["--mode", "validate", "--log-level", "error", "-c"]).arg(path).output().unwrap()
        };
        let output = validate(&there);
        assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stderr));
        // It does find mistakes, Envoy's and the plugin's.
        let mistakes = [("failure_policy:", "failure_polcy:"), ("\"audiences\"", "\"audience\"")];
        for (right, wrong) in mistakes.into_iter().filter(|_| file == "envoy/envoy.yaml") {
            assert!(!validate(&there.replace(right, wrong)).status.success(), "{wrong} is taken");
        }
    }
}

#[test]
fn the_plain_gateway_decides_as_it_says() {
    let test = Test::new();
    let envoy = test.start(&manifests::document("envoy/envoy.yaml"));
    let gateway = envoy.listener("gateway").unwrap();
    test.assert_api(gateway);
    test.assert_webhooks(gateway);

    // By `integration`, by way of x-gatepost-cluster: what the service gets is the path that came, and no such header.
    let seen = seen(gateway, "/orders/7?page=2", &[("x-api-key", API_KEY), ("x-gatepost-cluster", "admin")]);
    assert_eq!(seen.path.0, b"/orders/7?page=2");
    assert_eq!(header(&seen, "x-gatepost-cluster"), None);

    let probes = envoy.listener("probes").unwrap();
    assert_eq!(status(probes, "GET", "/ready", &[]), 200);
    assert_eq!(status(probes, "GET", "/stats/prometheus", &[]), 200);
    for (method, path) in [("POST", "/quitquitquit"), ("GET", "/config_dump"), ("POST", "/ready"), ("GET", "/")] {
        assert_eq!(status(probes, method, path, &[]), 404, "{method} {path}");
    }
    assert!(envoy.traps().is_empty(), "{:?}", envoy.traps());
}

#[test]
fn a_gateway_without_its_environment_does_not_start() {
    let test = Test::new();
    let mut bootstrap = test.prepared(&manifests::document("envoy/envoy.yaml"));
    each_plugin(&mut bootstrap, &mut |plugin| plugin["vm_config"]["environment_variables"] = json!({"key_values": {}}));
    let refused = Envoy::start(&bootstrap, 1).map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("the environment variable `IDENTITY_TOKEN_KEY` is not set"), "{refused}");
}

#[test]
fn per_route_each_host_has_the_configuration_that_is_its_own() {
    let test = Test::new();
    let envoy = test.start(&manifests::document("envoy/per-route.yaml"));
    let gateway = envoy.listener("gateway").unwrap();
    let token = format!("Bearer {}", test.token(json!({})));
    let (token, key) = (("authorization", token.as_str()), ("x-api-key", API_KEY));
    let at = |host, path, credential| status(gateway, "GET", path, &[("host", host), credential]);
    assert_eq!(at("api.example.com", "/orders/7", token), 200);
    assert_eq!(at("api.example.com", "/orders/7", key), 401);
    assert_eq!(at("partners.example.com", "/orders/7", key), 200);
    assert_eq!(at("partners.example.com", "/orders/7", token), 401);
    // A host that nobody thought of is guarded by both.
    assert_eq!(at("other.example.com", "/orders/7", token), 401);
    assert_eq!(at("other.example.com", "/orders/7", key), 401);

    // Without gatepost, and without what only gatepost may say.
    let forged = [("host", "api.example.com"), ("x-user-id", "admin"), ("x-owner", "acme")];
    let seen = seen(gateway, "/robots.txt", &forged);
    assert_eq!((header(&seen, "x-user-id"), header(&seen, "x-owner")), (None, None));
    for path in ["/robots.txt/../orders/7", "/robots.txt/", "/robots.txt%2f..%2forders"] {
        let status = at("api.example.com", path, ("accept", "*/*"));
        assert!(matches!(status, 400 | 401 | 404), "{path}: {status}");
    }
    assert!(envoy.traps().is_empty(), "{:?}", envoy.traps());
}

/// The filter of the EnvoyFilter, word for word but for where its code comes from, in the place of the plain gateway's.
#[test]
fn the_filter_of_istios_envoy_filter_decides_as_it_says() {
    let test = Test::new();
    let embedded = manifests::embedded();
    let filter = embedded.iter().find(|one| one.file == "istio/gatepost-envoyfilter.yaml").unwrap();
    let mut plugin = filter.plugin.clone().unwrap();
    plugin["vm_config"]["code"] = json!({"local": {"filename": MODULE}});
    let mut bootstrap = manifests::document("envoy/envoy.yaml");
    each_plugin(&mut bootstrap, &mut |old| *old = plugin.clone());
    // A mesh routes by itself, and has its own name for the provider.
    let text = bootstrap.to_string().replace("\"name\":\"idp\"", "\"name\":\"outbound|443||idp.example.com\"");
    let mut bootstrap: Value = serde_json::from_str(&text).unwrap();
    let hosts = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts";
    bootstrap.pointer_mut(hosts).unwrap()[0]["routes"] =
        json!([{"match": {"prefix": "/"}, "route": {"cluster": "orders"}}]);
    let envoy = test.start(&bootstrap);
    let gateway = envoy.listener("gateway").unwrap();
    test.assert_api(gateway);
    test.assert_webhooks(gateway);
    assert!(envoy.traps().is_empty(), "{:?}", envoy.traps());
}

#[test]
fn the_configurations_of_meshes_decide_as_they_say() {
    let test = Test::new();
    let embedded = manifests::embedded();
    let files = ["istio/gatepost-wasmplugin.yaml", "envoy-gateway/gatepost.yaml"];
    let listeners = files.map(|file| {
        let one = embedded.iter().find(|one| one.file == file).unwrap();
        Listener {
            name: file.split('/').next().unwrap().to_owned(),
            configuration: with_api_key(&one.configuration.to_string()),
            normalize_path: false,
            stop_iteration: false,
        }
    });
    let clusters = ["outbound|443||idp.example.com", "httproute/public/identity-provider/rule/0"];
    let provider = Endpoint::At(test.provider.address());
    let environment = ["IDENTITY_TOKEN_KEY"].map(|name| (name.to_owned(), manifests::environment(name).unwrap()));
    let module = module_path();
    let gateway = Gateway {
        module: &module,
        environment: &BTreeMap::from(environment),
        service: test.echo.address(),
        clusters: clusters.map(|name| (name.to_owned(), provider)).into(),
        direct_responses: BTreeMap::new(),
        http2_upstream: false,
    };
    let envoy = Envoy::start(&gateway.bootstrap(&listeners), 1).unwrap_or_else(|error| panic!("{error}"));
    for name in ["istio", "envoy-gateway"] {
        test.assert_api(envoy.listener(name).unwrap());
    }
    assert!(envoy.traps().is_empty(), "{:?}", envoy.traps());
}

/// What stands around a gateway.
struct Test {
    echo: Echo,
    provider: Provider,
}

impl Test {
    fn new() -> Self {
        let (echo, provider) = (Echo::spawn().unwrap(), Provider::spawn().unwrap());
        provider.answer("idp.example.com", "/.well-known/jwks.json", [Answer::keys(&["es1"])]);
        Self { echo, provider }
    }

    fn token(&self, claims: Value) -> String {
        let mut all = json!({"iss": "https://idp.example.com", "aud": "api", "sub": "user-1", "exp": "@now+5m"});
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        mint(&TokenSpec { key: "es1".to_owned(), claims: all, ..TokenSpec::default() }, now).unwrap()
    }

    /// The bootstrap with addresses of this machine, the module that was built, and a provider without TLS.
    fn prepared(&self, bootstrap: &Value) -> Value {
        // A port that was free a moment ago: the listener for probes has to know it.
        let admin = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let text = bootstrap.to_string().replace(MODULE, module_path().to_str().unwrap());
        let mut bootstrap: Value = serde_json::from_str(&with_api_key(&text)).unwrap();
        bootstrap["admin"]["address"] = socket(admin);
        for listener in bootstrap["static_resources"]["listeners"].as_array_mut().unwrap() {
            listener["address"] = socket(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        }
        for cluster in bootstrap["static_resources"]["clusters"].as_array_mut().unwrap() {
            cluster["type"] = json!("STATIC");
            let address = match cluster["name"].as_str().unwrap() {
                "orders" => self.echo.address(),
                "admin" => admin,
                _ => {
                    cluster.as_object_mut().unwrap().remove("transport_socket").unwrap();
                    self.provider.address()
                }
            };
            cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"] = socket(address);
        }
        each_plugin(&mut bootstrap, &mut |plugin| {
            let variables = plugin["vm_config"]["environment_variables"]["host_env_keys"].take();
            let names = variables.as_array().into_iter().flatten().map(|name| name.as_str().unwrap().to_owned());
            let values = names.map(|name| (name.clone(), json!(manifests::environment(&name).unwrap())));
            let values: serde_json::Map<_, _> = values.collect();
            plugin["vm_config"]["environment_variables"] = json!({"key_values": values});
        });
        bootstrap
    }

    fn start(&self, bootstrap: &Value) -> Envoy {
        Envoy::start(&self.prepared(bootstrap), 1).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Who is let through, and what the service is told.
    fn assert_api(&self, gateway: SocketAddr) {
        assert_eq!(status(gateway, "GET", "/health", &[]), 200);
        assert_eq!(status(gateway, "GET", "/me", &[]), 401);
        assert_eq!(status(gateway, "GET", "/nowhere", &[]), 404);
        assert_eq!(status(gateway, "GET", "/orders/../me", &[]), 400);

        let token = format!("Bearer {}", self.token(json!({"email": "user-1@example.com"})));
        let forged = [("authorization", token.as_str()), ("x-user-id", "admin"), ("X_User_Email", "admin@example.com")];
        let seen = seen(gateway, "/me", &forged);
        assert_eq!(header(&seen, "x-user-id").as_deref(), Some("user-1"));
        assert_eq!(header(&seen, "x-user-email").as_deref(), Some("user-1@example.com"));
        assert_eq!(header(&seen, "x_user_email"), None);
        assert_eq!(header(&seen, "authorization"), None);
        assert_eq!(header(&seen, "x-identity-token").unwrap().split('.').count(), 3);

        // The scope decides for users; machines have it with their key.
        assert_eq!(status(gateway, "GET", "/orders/7", &[("authorization", &token)]), 403);
        let scoped = format!("Bearer {}", self.token(json!({"scope": "orders:read"})));
        assert_eq!(status(gateway, "GET", "/orders/7", &[("authorization", &scoped)]), 200);
        let seen = self::seen(gateway, "/orders/7", &[("x-api-key", API_KEY)]);
        assert_eq!(header(&seen, "x-owner").as_deref(), Some("acme"));
        assert_eq!(header(&seen, "x-api-key"), None);
        assert_eq!(status(gateway, "GET", "/orders/7", &[("x-api-key", "guessed")]), 401);

        let other = format!("Bearer {}", self.token(json!({"aud": "another"})));
        assert_eq!(status(gateway, "GET", "/me", &[("authorization", &other)]), 403);
    }

    /// That a body arrives where it is signed, and no byte of it where it is not.
    fn assert_webhooks(&self, gateway: SocketAddr) {
        let body = br#"{"action": "opened"}"#;
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(manifests::WEBHOOK_SECRET.as_bytes()).unwrap();
        mac.update(body);
        let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let signed = format!("sha256={hex}");
        let post = |signature: &str| {
            let headers = [("x-hub-signature-256", signature)];
            client::send(gateway, &request("POST", "/webhooks/github", &headers, body), false).unwrap()
        };
        let answer = post(&signed);
        let seen = Seen::read(answer.header("x-echo").unwrap(), &answer.body).unwrap();
        assert_eq!((answer.status, seen.body_sha256), (200, sha256(body)));
        assert_eq!(post(&format!("sha256={}", "0".repeat(64))).status, 401);
    }
}

/// The configurations with a key that the test knows.
fn with_api_key(text: &str) -> String {
    let documented = "9b5d4a28808536584f317bcbe7ad32cea5d492cad4b1239f52348826d011036c";
    assert!(text.contains(documented));
    text.replace(documented, &sha256(API_KEY.as_bytes()))
}

/// Calls `change` with the plugin of every wasm filter.
fn each_plugin(tree: &mut Value, change: &mut dyn FnMut(&mut Value)) {
    if tree["@type"] == manifests::FILTER {
        return change(&mut tree["config"]);
    }
    match tree {
        Value::Object(members) => members.values_mut().for_each(|member| each_plugin(member, change)),
        Value::Array(items) => items.iter_mut().for_each(|item| each_plugin(item, change)),
        _ => {}
    }
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\ncontent-length: {}\r\n", body.len());
    if headers.iter().all(|(name, _)| *name != "host") {
        text += "host: api.example.com\r\n";
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    [(text + "\r\n").as_bytes(), body].concat()
}

fn status(gateway: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
    client::send(gateway, &request(method, path, headers, b""), false).unwrap().status
}

/// What the service received.
fn seen(gateway: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Seen {
    let answer = client::send(gateway, &request("GET", path, headers, b""), false).unwrap();
    assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
    Seen::read(answer.header("x-echo").unwrap(), &answer.body).unwrap()
}

fn header(seen: &Seen, name: &str) -> Option<String> {
    let value = seen.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
    value.map(|(_, value)| String::from_utf8(value.0.clone()).unwrap())
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

/// Where the manifests mount the module.
const MODULE: &str = "/etc/gatepost/plugin.wasm";
const API_KEY: &str = "an-api-key-for-a-test";
