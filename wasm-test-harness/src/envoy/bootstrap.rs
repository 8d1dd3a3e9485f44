//! Bootstraps for Envoy: one listener per plugin configuration, all in one VM of the module.

use std::{collections::BTreeMap, net::SocketAddr, path::Path};

use serde_json::{Value, json};

/// A listener with the module in its filter chain.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its name, the plugin's name and its `root_id`; unique.
    pub name: String,
    /// The plugin's configuration, byte for byte.
    pub configuration: String,
    /// `normalize_path` and `merge_slashes` of the connection manager.
    pub normalize_path: bool,
    /// `allow_on_headers_stop_iteration` of the plugin.
    pub stop_iteration: bool,
}

/// What all listeners share.
#[derive(Clone, Debug)]
pub struct Gateway<'a> {
    /// The module.
    pub module: &'a Path,
    /// Environment variables of the VM.
    pub environment: &'a BTreeMap<String, String>,
    /// The service that is forwarded to.
    pub service: SocketAddr,
    /// The clusters that configurations name; one called `service` is there anyway.
    pub clusters: BTreeMap<String, Endpoint>,
    /// Paths, by their beginning, that Envoy answers by itself with this status once the filter lets them go on.
    pub direct_responses: BTreeMap<String, u16>,
    /// Whether the service is spoken to in HTTP/2.
    pub http2_upstream: bool,
}

/// Where a cluster leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// To the service.
    Service,
    /// To an HTTP/1.1 server of its own, such as an identity provider.
    At(SocketAddr),
    /// Nowhere: it has no hosts.
    Nowhere,
}

impl Gateway<'_> {
    /// A bootstrap with these listeners.
    pub fn bootstrap(&self, listeners: &[Listener]) -> Value {
        let listeners: Vec<Value> = listeners.iter().map(|listener| self.listener(listener)).collect();
        json!({"admin": self.admin(), "static_resources": {"listeners": listeners, "clusters": self.clusters()}})
    }

    /// A bootstrap whose listeners come from `lds.json` in Envoy's folder: one that is refused leaves the others be.
    pub fn bootstrap_with_lds(&self) -> Value {
        json!({
            "node": {"id": "gatepost", "cluster": "gatepost"},
            "admin": self.admin(),
            "dynamic_resources": {"lds_config": {"path_config_source": {"path": "{folder}/lds.json"}}},
            "static_resources": {"clusters": self.clusters()},
        })
    }

    fn admin(&self) -> Value {
        json!({"address": socket(SocketAddr::from(([127, 0, 0, 1], 0)))})
    }

    fn clusters(&self) -> Vec<Value> {
        let mut clusters = self.clusters.clone();
        clusters.insert("service".to_owned(), Endpoint::Service);
        clusters.iter().map(|(name, endpoint)| self.cluster(name, *endpoint)).collect()
    }

    fn cluster(&self, name: &str, endpoint: Endpoint) -> Value {
        let protocol = if self.http2_upstream && endpoint == Endpoint::Service {
            json!({"http2_protocol_options": {}})
        } else {
            json!({"http_protocol_options": {"enable_trailers": true}})
        };
        let address = match endpoint {
            Endpoint::Service => Some(self.service),
            Endpoint::At(address) => Some(address),
            Endpoint::Nowhere => None,
        };
        let hosts = address.map(|address| json!({"endpoint": {"address": socket(address)}}));
        json!({
            "name": name,
            "type": "STATIC",
            "connect_timeout": "5s",
            "load_assignment": {
                "cluster_name": name,
                "endpoints": [{"lb_endpoints": hosts.into_iter().collect::<Vec<_>>()}],
            },
            // A test's burst is no overload.
            "circuit_breakers": {"thresholds": [{
                "max_connections": MOST_AT_ONCE,
                "max_pending_requests": MOST_AT_ONCE,
                "max_requests": MOST_AT_ONCE,
            }]},
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "explicit_http_config": protocol,
                },
            },
        })
    }

    fn listener(&self, listener: &Listener) -> Value {
        let manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "gatepost",
            "codec_type": "AUTO",
            "normalize_path": listener.normalize_path,
            "merge_slashes": listener.normalize_path,
            "http_protocol_options": {"enable_trailers": true},
            "route_config": {
                "internal_only_headers": [],
                "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": self.routes()}],
            },
            "http_filters": [
                {"name": "gatepost", "typed_config": self.plugin(listener)},
                {
                    "name": "envoy.filters.http.router",
                    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
                },
            ],
        });
        json!({
            "name": listener.name,
            "address": socket(SocketAddr::from(([127, 0, 0, 1], 0))),
            "filter_chains": [{
                "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}],
            }],
        })
    }

    /// The cluster that the filter chose stands first, as the contract asks (section 1).
    fn routes(&self) -> Value {
        let chosen = json!({
            "match": {"prefix": "/", "headers": [{"name": "x-gatepost-cluster", "present_match": true}]},
            "route": {"cluster_header": "x-gatepost-cluster"},
        });
        let direct = self
            .direct_responses
            .iter()
            .map(|(prefix, status)| json!({"match": {"prefix": prefix}, "direct_response": {"status": status}}));
        let rest = json!({"match": {"prefix": "/"}, "route": {"cluster": "service"}});
        std::iter::once(chosen).chain(direct).chain([rest]).collect()
    }

    fn plugin(&self, listener: &Listener) -> Value {
        json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": listener.name,
                "root_id": listener.name,
                "allow_on_headers_stop_iteration": listener.stop_iteration,
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": listener.configuration,
                },
                "vm_config": {
                    "vm_id": "gatepost",
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": self.module}},
                    "environment_variables": {"key_values": self.environment},
                },
            },
        })
    }
}

/// The contents of `lds.json` for these listeners.
pub fn lds_resources(gateway: &Gateway<'_>, listeners: &[Listener]) -> String {
    let resources = listeners.iter().map(|listener| {
        let mut resource = gateway.listener(listener);
        resource["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
        resource
    });
    json!({"version_info": "1", "resources": resources.collect::<Vec<_>>()}).to_string()
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

const MOST_AT_ONCE: u32 = 100_000;
