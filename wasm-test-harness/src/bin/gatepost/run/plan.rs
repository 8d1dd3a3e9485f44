//! What envoy.yaml says about the demo: ports and module.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::failure::Failure;

/// The demo's parts, read from Envoy's configuration so that they are said in one place.
pub struct Plan {
    /// Envoy's configuration file.
    pub config: PathBuf,
    /// Its text.
    pub text: String,
    /// The module, as the configuration names it.
    pub module: String,
    pub gateway: Endpoint,
    pub admin: Endpoint,
    pub service: Endpoint,
}

/// An address that must be free.
pub struct Endpoint {
    pub name: &'static str,
    pub address: SocketAddr,
}

impl Plan {
    /// Reads Envoy's configuration.
    pub fn read(config: &Path) -> Result<Self, Failure> {
        let shown = config.display();
        let text = fs::read_to_string(config).map_err(|error| {
            Failure::Usage(format!("{shown}: {error}; run this from the repository's root, or give --config FILE"))
        })?;
        let tree: Value = serde_saphyr::from_str(&text).map_err(|_| Failure::Invalid(format!("{shown}: not YAML")))?;
        let resources = &tree["static_resources"];
        let listener = &resources["listeners"][0];
        let module = find(listener, "filename").and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            gateway: endpoint(config, "gateway", &listener["address"])?,
            admin: endpoint(config, "administration", &tree["admin"]["address"])?,
            service: endpoint(
                config,
                "echo service",
                &resources["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"],
            )?,
            module: module.ok_or_else(|| Failure::Invalid(format!("{shown}: no wasm filter from a local file")))?,
            config: config.to_owned(),
            text,
        })
    }

    /// The folder that relative names in the configuration start from.
    pub fn folder(&self) -> &Path {
        match self.config.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        }
    }

    /// Fails with every port that somebody else has.
    pub fn check_ports(&self) -> Result<(), Failure> {
        let taken: Vec<_> = [&self.gateway, &self.admin, &self.service]
            .into_iter()
            .filter_map(|endpoint| Some((endpoint, TcpListener::bind(endpoint.address).err()?)))
            .map(|(endpoint, error)| {
                let port = endpoint.address.port();
                let wanted = format!("port_value: {port}");
                let line = self.text.lines().position(|line| line.contains(&wanted)).map_or(0, |index| index + 1);
                format!(
                    "port {port} ({}): {error}; end what uses it, or change `{wanted}` in {}, line {line}",
                    endpoint.name,
                    self.config.display(),
                )
            })
            .collect();
        if taken.is_empty() { Ok(()) } else { Err(Failure::Invalid(taken.join("\n"))) }
    }
}

fn endpoint(config: &Path, name: &'static str, address: &Value) -> Result<Endpoint, Failure> {
    let address = &address["socket_address"];
    let port = address["port_value"].as_u64().and_then(|port| u16::try_from(port).ok());
    match (address["address"].as_str().and_then(|address| address.parse().ok()), port) {
        (Some(ip), Some(port)) => Ok(Endpoint { name, address: SocketAddr::new(ip, port) }),
        (None, Some(port)) => Ok(Endpoint { name, address: (Ipv4Addr::LOCALHOST, port).into() }),
        _ => Err(Failure::Invalid(format!("{}: no socket address for the {name}", config.display()))),
    }
}

/// The first member of that name, at any depth.
fn find<'t>(tree: &'t Value, name: &str) -> Option<&'t Value> {
    match tree {
        Value::Object(members) => members.get(name).or_else(|| members.values().find_map(|member| find(member, name))),
        Value::Array(items) => items.iter().find_map(|item| find(item, name)),
        _ => None,
    }
}
