//! Finds the plugin configuration in what people have: the JSON itself, the same as YAML, an Envoy bootstrap, an Istio
//! `WasmPlugin`.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::{env, fs, io};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatepost::config::{self, ConfigError, Gateway};
use serde_json::Value;

use crate::failure::Failure;

/// One plugin configuration, and the environment that its `{"env": NAME}` would see.
pub struct Configuration {
    /// The file's name, with the filter's place where the file has several.
    pub label: String,
    /// Where in the file it stands: which listener's, and what the filter is called. Empty where the file is nothing else.
    origin: String,
    /// The JSON text, byte for byte where it was JSON, so that duplicate members are still seen.
    pub json: Vec<u8>,
    environment: Environment,
}

impl Configuration {
    /// Every configuration in the file (`-` is standard input); at least one.
    pub fn read_all(path: &Path, overrides: &[(String, String)]) -> Result<Vec<Self>, Failure> {
        let (label, text) = read(path)?;
        let mut configurations = find(&label, &text, path.extension().is_some_and(|ending| ending == "json"))?;
        for configuration in &mut configurations {
            configuration.environment.overrides = overrides.iter().cloned().collect();
        }
        Ok(configurations)
    }

    /// The only configuration in the file.
    pub fn read_one(path: &Path, overrides: &[(String, String)]) -> Result<Self, Failure> {
        let mut configurations = Self::read_all(path, overrides)?;
        match (configurations.pop(), configurations.len()) {
            (Some(only), 0) => Ok(only),
            (_, others) => Err(Failure::Usage(format!(
                "{}: {} wasm filters; give a file with one, or the plugin configuration alone",
                path.display(),
                others + 1
            ))),
        }
    }

    /// The file's name and the place in it.
    pub fn full_label(&self) -> String {
        match self.origin.as_str() {
            "" => self.label.clone(),
            origin if self.label.ends_with(&format!("({origin})")) => self.label.clone(),
            origin => format!("{} ({origin})", self.label),
        }
    }

    /// What a variable of the VM's environment holds.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.environment.get(name)
    }

    /// Parses, validates and compiles it, for a subcommand that has no answer without: what it would say of another
    /// configuration must not be taken for one.
    pub fn load_for_use(&self) -> Result<Gateway, Failure> {
        self.load().map_err(|errors| {
            let label = self.full_label();
            let errors: String = errors.iter().map(|error| format!("\n{label}: {error}")).collect();
            Failure::Usage(format!("the configuration is not valid{errors}"))
        })
    }

    /// Parses, validates and compiles it, as the filter does when it starts.
    pub fn load(&self) -> Result<Gateway, Vec<ConfigError>> {
        config::load(&self.json, &|name| self.environment.get(name))
    }

    /// The JSON as a tree, for what the compiled gateway does not tell. Null where it is not JSON.
    pub fn tree(&self) -> Value {
        serde_json::from_slice(&self.json).unwrap_or_default()
    }
}

/// `NAME=VALUE` of `--env`.
pub fn parse_variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

/// What a VM's environment holds.
#[derive(Default)]
struct Environment {
    overrides: BTreeMap<String, String>,
    /// In an Envoy bootstrap the VM sees what `environment_variables` lists and nothing else.
    of_vm: Option<BTreeMap<String, String>>,
}

impl Environment {
    fn get(&self, name: &str) -> Option<String> {
        if let Some(value) = self.overrides.get(name) {
            return Some(value.clone());
        }
        match &self.of_vm {
            Some(variables) => variables.get(name).cloned(),
            None => env::var(name).ok(),
        }
    }
}

fn read(path: &Path) -> Result<(String, String), Failure> {
    let mut bytes = Vec::new();
    let label = if path == Path::new("-") {
        io::stdin().read_to_end(&mut bytes).map_err(|error| Failure::Usage(format!("standard input: {error}")))?;
        "-".to_owned()
    } else {
        bytes = fs::read(path).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
        path.display().to_string()
    };
    let text = String::from_utf8(bytes).map_err(|_| Failure::Usage(format!("{label}: not UTF-8 text")))?;
    Ok((label, text))
}

fn find(label: &str, text: &str, named_json: bool) -> Result<Vec<Configuration>, Failure> {
    let plain = |json: &str| Configuration {
        label: label.to_owned(),
        origin: String::new(),
        json: json.as_bytes().to_vec(),
        environment: Environment::default(),
    };
    // JSON goes first although it is YAML too: YAML's numbers and duplicate members are not JSON's.
    let documents = match serde_json::from_str::<Value>(text) {
        Ok(tree) => vec![tree],
        Err(_) if named_json || text.trim_start().starts_with('{') => return Ok(vec![plain(text)]),
        Err(_) => parse_yaml(label, text)?,
    };
    let mut filters = Vec::new();
    for document in &documents {
        collect_filters(document, "", &mut filters);
    }
    // Other people's wasm filters beside ours are not ours to judge.
    if filters.iter().any(|found| is_gatepost(&found.filter)) {
        filters.retain(|found| is_gatepost(&found.filter));
    }
    match (filters.len(), documents.as_slice()) {
        (0, [tree]) if tree.get("static_resources").is_some() => {
            Err(Failure::Invalid(format!("{label}: an Envoy bootstrap without a wasm filter in it")))
        }
        (0, [tree]) => {
            let is_json = serde_json::from_str::<Value>(text).is_ok();
            Ok(vec![if is_json { plain(text) } else { plain(&tree.to_string()) }])
        }
        (0, _) => Err(Failure::Invalid(format!("{label}: several documents, and no wasm filter in any"))),
        (1, _) => filters.iter().map(|found| from_filter(found, found.origin(), label.to_owned())).collect(),
        _ => filters
            .iter()
            .enumerate()
            .map(|(index, found)| {
                let origin = format!("{}: {}", index + 1, found.origin());
                let label = format!("{label} ({origin})");
                from_filter(found, origin, label)
            })
            .collect(),
    }
}

fn parse_yaml(label: &str, text: &str) -> Result<Vec<Value>, Failure> {
    serde_saphyr::from_multiple(text).map_err(|error| {
        // The parser's own message shows the lines around the mistake, and there may be a secret on them.
        let place = error
            .location()
            .map(|location| format!("line {}, column {}: ", location.line(), location.column()))
            .unwrap_or_default();
        Failure::Invalid(format!("{label}: {place}neither JSON nor YAML (or a key that stands twice)"))
    })
}

/// A filter, and the listener that it stands in.
struct Found<'t> {
    filter: Filter<'t>,
    /// Empty where there is none, or it has no name.
    listener: &'t str,
}

/// Where a plugin configuration may be.
enum Filter<'t> {
    /// Envoy's `PluginConfig`.
    Envoy(&'t Value),
    /// Istio's `WasmPlugin`, whole.
    Istio(&'t Value),
}

impl Filter<'_> {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Envoy(plugin) => plugin["name"].as_str(),
            Self::Istio(resource) => resource["metadata"]["name"].as_str(),
        }
    }
}

impl Found<'_> {
    /// What messages call it: `listener gateway, wasm filter gatepost`.
    fn origin(&self) -> String {
        let name = self.filter.name().unwrap_or("without a name");
        match (&self.filter, self.listener) {
            (Filter::Istio(_), _) => format!("WasmPlugin {name}"),
            (Filter::Envoy(_), "") => format!("wasm filter {name}"),
            (Filter::Envoy(_), listener) => format!("listener {listener}, wasm filter {name}"),
        }
    }
}

fn collect_filters<'t>(tree: &'t Value, listener: &'t str, filters: &mut Vec<Found<'t>>) {
    match tree {
        Value::Object(members) => {
            if tree["kind"] == "WasmPlugin" && tree["spec"].is_object() {
                filters.push(Found { filter: Filter::Istio(tree), listener });
                return;
            }
            // Only listeners have filter chains, be they in a bootstrap or a resource of their own.
            let is_listener = tree["filter_chains"].is_array() || tree["default_filter_chain"].is_object();
            let listener = if is_listener { tree["name"].as_str().unwrap_or_default() } else { listener };
            // `TypedStruct` wraps the same message where Envoy's control plane does not know it.
            let (type_url, body) =
                if tree["type_url"].is_string() { (&tree["type_url"], &tree["value"]) } else { (&tree["@type"], tree) };
            if type_url.as_str().is_some_and(|url| url.ends_with(FILTER_TYPE)) {
                filters.push(Found { filter: Filter::Envoy(&body["config"]), listener });
                return;
            }
            members.values().for_each(|member| collect_filters(member, listener, filters));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_filters(item, listener, filters)),
        _ => {}
    }
}

fn is_gatepost(filter: &Filter<'_>) -> bool {
    let place = match filter {
        Filter::Envoy(plugin) => plugin["vm_config"]["code"].to_string(),
        Filter::Istio(resource) => resource["spec"]["url"].to_string(),
    };
    filter.name().is_some_and(|name| name.contains("gatepost")) || place.contains("gatepost")
}

fn from_filter(found: &Found<'_>, origin: String, label: String) -> Result<Configuration, Failure> {
    let filter = &found.filter;
    let (configuration, of_vm) = match filter {
        Filter::Istio(resource) => {
            let variables = resource["spec"]["vmConfig"]["env"].as_array().into_iter().flatten().filter_map(|entry| {
                let name = entry["name"].as_str()?;
                let value = match entry["value"].as_str() {
                    Some(value) => value.to_owned(),
                    None => env::var(name).ok()?,
                };
                Some((name.to_owned(), value))
            });
            (&resource["spec"]["pluginConfig"], variables.collect())
        }
        Filter::Envoy(plugin) => (&plugin["configuration"], envoy_environment(&plugin["vm_config"])),
    };
    let json = match configuration["@type"].as_str() {
        Some(url) if url.ends_with("google.protobuf.BytesValue") => {
            let text = configuration["value"].as_str().unwrap_or_default();
            STANDARD.decode(text).map_err(|_| {
                Failure::Invalid(format!("{label}: {}: configuration.value: not base64", found.origin()))
            })?
        }
        Some(url) if url.ends_with("google.protobuf.StringValue") => {
            configuration["value"].as_str().unwrap_or_default().as_bytes().to_vec()
        }
        Some(url) if url.ends_with("google.protobuf.Struct") => configuration["value"].to_string().into_bytes(),
        Some(url) => {
            return Err(Failure::Invalid(format!(
                "{label}: {}: configuration: `{url}` is no configuration of gatepost's; use google.protobuf.StringValue",
                found.origin()
            )));
        }
        None if configuration.is_object() && matches!(filter, Filter::Istio(_)) => {
            configuration.to_string().into_bytes()
        }
        None => {
            return Err(Failure::Invalid(format!(
                "{label}: {}: no `configuration` with an `@type`; use google.protobuf.StringValue",
                found.origin()
            )));
        }
    };
    Ok(Configuration {
        label,
        origin,
        json,
        environment: Environment { overrides: BTreeMap::new(), of_vm: Some(of_vm) },
    })
}

fn envoy_environment(vm_config: &Value) -> BTreeMap<String, String> {
    let variables = &vm_config["environment_variables"];
    let from_host = variables["host_env_keys"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter_map(|name| Some((name.to_owned(), env::var(name).ok()?)));
    let given = variables["key_values"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    from_host.chain(given).collect()
}

const FILTER_TYPE: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";
