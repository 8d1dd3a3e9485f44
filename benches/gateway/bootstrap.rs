//! Envoy with one filter, or none, before a route that it answers by itself.

use std::{io, path::Path};

use serde_json::{Value, json};
use wasm_test_harness::mint::{MintError, PrivateKey};

/// What stands before the router.
#[derive(Clone, Debug)]
pub enum Filter {
    /// Nothing.
    None,
    /// A module that reads all headers or does not, and sets so many.
    Crossings {
        /// Whether all headers are read.
        reads: bool,
        /// How many are set.
        writes: u8,
        /// Whether it has every callback that the Rust SDK exports.
        all_callbacks: bool,
    },
    /// gatepost with this configuration.
    Gatepost(Value),
    /// Envoy's own `jwt_authn`, with this provider.
    JwtAuthn(Value),
}

/// Where the filters find what they need.
pub struct Files<'a> {
    /// gatepost's module.
    pub module: &'a Path,
    /// The folder for what is made.
    pub folder: &'a Path,
}

/// The bootstrap. Port 0 is any that is free.
pub fn bootstrap(filter: &Filter, files: &Files<'_>, port: u16) -> io::Result<Value> {
    Ok(with_filters(http_filter(filter, files)?.into_iter().collect(), port))
}

/// The bootstrap with a module that needs no configuration.
pub fn bootstrap_with_module(module: &Path) -> Value {
    with_filters(vec![wasm(module, &Value::Null)], 0)
}

fn with_filters(mut filters: Vec<Value>, port: u16) -> Value {
    filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
    }));
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": LISTENER,
        "http_filters": filters,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes()}]},
    });
    json!({
        "admin": {"address": address(0)},
        "static_resources": {"listeners": [{
            "name": LISTENER,
            "address": address(port),
            "filter_chains": [{
                "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}],
            }],
        }]},
    })
}

/// Every request is answered with 200; one that carries [`CHECK`] is also told what the filter set.
fn routes() -> Value {
    let echoed: Vec<Value> = ECHOED
        .iter()
        .map(|name| json!({"header": {"key": name, "value": format!("%REQ({name})%")}, "keep_empty_value": true}))
        .collect();
    json!([
        {
            "match": {"prefix": "/", "headers": [{"name": CHECK, "present_match": true}]},
            "direct_response": {"status": 200},
            "response_headers_to_add": echoed,
        },
        {"match": {"prefix": "/"}, "direct_response": {"status": 200}},
    ])
}

fn http_filter(filter: &Filter, files: &Files<'_>) -> io::Result<Option<Value>> {
    Ok(match filter {
        Filter::None => None,
        Filter::Crossings { reads, writes, all_callbacks } => {
            let text = CROSSINGS.replace("READS", if *reads { "1" } else { "0" });
            let text = text.replace("WRITES", &writes.to_string());
            let text = text.replace("CALLBACKS", if *all_callbacks { CALLBACKS } else { "" });
            let name = format!("crossings-{}-{writes}-{}.wasm", u8::from(*reads), u8::from(*all_callbacks));
            let module = files.folder.join(name);
            std::fs::write(&module, wat::parse_str(text).map_err(io::Error::other)?)?;
            Some(wasm(&module, &Value::Null))
        }
        Filter::Gatepost(configuration) => Some(wasm(files.module, configuration)),
        Filter::JwtAuthn(provider) => Some(json!({
            "name": "envoy.filters.http.jwt_authn",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
                "providers": {"idp": provider},
                "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "idp"}}],
            },
        })),
    })
}

fn wasm(module: &Path, configuration: &Value) -> Value {
    json!({
        "name": "wasm",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": LISTENER,
                "root_id": LISTENER,
                "failure_policy": "FAIL_CLOSED",
                "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": module}}},
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": configuration.to_string(),
                },
            },
        },
    })
}

/// gatepost's configuration for tokens of a key of `tests/keys`, with claims mapped to headers.
pub fn gatepost(key: &str, claims: &[(String, String)]) -> Result<Value, MintError> {
    let mut authorizer = json!({"type": "jwt", "issuer": ISSUER, "audiences": [AUDIENCE]});
    match PrivateKey::named(key)? {
        PrivateKey::Secret(secret) => authorizer["secret"] = json!(String::from_utf8_lossy(&secret)),
        pair => authorizer["jwks"] = json!({"inline": {"keys": [jwk(key, &pair)]}}),
    }
    let headers: serde_json::Map<String, Value> =
        claims.iter().map(|(claim, header)| (header.clone(), json!(format!("$request.jwt.{claim}")))).collect();
    Ok(json!({
        "authorizer": authorizer,
        "paths": [{"method": "GET", "path": "/{.+}", "auth": true, "mapping": {"headers": headers}}],
    }))
}

/// The provider of `jwt_authn` that does the same.
pub fn jwt_authn(key: &str, claims: &[(String, String)]) -> Result<Value, MintError> {
    let jwks = json!({"keys": [jwk(key, &PrivateKey::named(key)?)]});
    let headers: Vec<Value> =
        claims.iter().map(|(claim, header)| json!({"header_name": header, "claim_name": claim})).collect();
    Ok(json!({
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": {"inline_string": jwks.to_string()},
        "claim_to_headers": headers,
    }))
}

fn jwk(name: &str, key: &PrivateKey) -> Value {
    key.jwk(Some(name), Some(key.default_algorithm().name()))
}

fn address(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

/// The name of the listener.
pub const LISTENER: &str = "bench";
/// The header of a request that is a check.
pub const CHECK: &str = "x-bench-check";
/// `iss` of the tokens.
pub const ISSUER: &str = "https://idp.example.com";
/// `aud` of the tokens.
pub const AUDIENCE: &str = "api";

/// The headers that some filter sets, as far as a check looks at them.
const ECHOED: [&str; 7] =
    ["x-user-id", "x-email", "x-tenant", "x-crossing-0", "x-crossing-2", "x-crossing-9", "x-claim-19"];
const CROSSINGS: &str = include_str!("crossings.wat");
/// What the SDK exports besides the headers' callback, as far as a request meets it.
const CALLBACKS: &str = r#"
  (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "proxy_on_request_trailers") (param i32 i32) (result i32) (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "proxy_on_response_trailers") (param i32 i32) (result i32) (i32.const 0))
  (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
  (func (export "proxy_on_log") (param i32))
  (func (export "proxy_on_delete") (param i32))
"#;
