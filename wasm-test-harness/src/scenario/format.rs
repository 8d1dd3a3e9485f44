//! The scenarios' types, as `tests/scenarios/README.md` describes them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{
    providers::{Calls, Providers},
    sign::Sign,
    text::{Expected, Text},
};
use crate::mint::TokenSpec;

/// One file of scenarios.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) configurations: BTreeMap<String, Value>,
    #[serde(default)]
    pub(super) tokens: BTreeMap<String, TokenSpec>,
    #[serde(default)]
    pub(super) providers: Providers,
    /// The listener of its scenarios, where they do not name one.
    pub(super) listener: Option<Listener>,
    pub(super) scenarios: Vec<Entry>,
}

/// One scenario as it is written: the only step may stand in the scenario itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) configuration: ConfigurationSource,
    #[serde(default = "default_clock")]
    pub(super) clock: u64,
    #[serde(default)]
    pub(super) tokens: BTreeMap<String, TokenSpec>,
    #[serde(default)]
    pub(super) providers: Providers,
    pub(super) hosts: Option<Vec<HostName>>,
    pub(super) because: Option<String>,
    pub(super) listener: Option<Listener>,
    pub(super) request: Option<Request>,
    pub(super) forward: Option<Forward>,
    pub(super) deny: Option<Deny>,
    pub(super) record: Option<Record>,
    pub(super) envoy: Option<EnvoyItself>,
    #[serde(default)]
    pub(super) calls: Calls,
    pub(super) asked: Option<Asked>,
    #[serde(default)]
    pub(super) steps: Vec<StepEntry>,
    pub(super) errors: Option<Vec<String>>,
    #[serde(default)]
    pub(super) more_errors: bool,
}

/// A configuration: the name of one, or one made here.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum ConfigurationSource {
    Named(String),
    Made(Made),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Made {
    /// The name of the configuration to start from.
    #[serde(rename = "use")]
    pub(super) base: Option<String>,
    /// What it is otherwise, or the whole of it where there is no `use` (RFC 7396: null removes).
    pub(super) patch: Option<Value>,
    /// The exact text, for what YAML cannot say.
    pub(super) text: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepEntry {
    pub(super) advance: Option<String>,
    #[serde(default)]
    pub(super) request: Request,
    pub(super) forward: Option<Forward>,
    pub(super) deny: Option<Deny>,
    pub(super) record: Option<Record>,
    pub(super) envoy: Option<EnvoyItself>,
    #[serde(default)]
    pub(super) calls: Calls,
    pub(super) asked: Option<Asked>,
}

/// A host that runs scenarios.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum HostName {
    /// The engine, as a library.
    Native,
    /// The module in wasmtime.
    Wasmtime,
    /// The module in Envoy.
    Envoy,
}

/// What the listener does besides the filter.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(deny_unknown_fields, default)]
pub struct Listener {
    /// Envoy normalises the path before the filter sees it (RFC 3986 §6), and merges slashes.
    pub normalize_path: bool,
    /// `allow_on_headers_stop_iteration`: the filter may hold the headers and see the body.
    pub stop_iteration: bool,
}

/// A scenario, ready to run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file that it is from.
    pub file: String,
    /// The promise that it holds.
    pub name: String,
    /// The configuration's text.
    pub configuration: String,
    /// The time at its start on hosts whose clock can be set, in Unix seconds.
    pub clock: u64,
    /// Its tokens, and its file's.
    pub(super) tokens: BTreeMap<String, TokenSpec>,
    /// What its identity providers answer, and its file's; none where its configuration names none.
    pub(super) providers: Providers,
    /// The hosts that run it.
    pub hosts: Vec<HostName>,
    /// The listener's options.
    pub listener: Listener,
    /// What happens.
    pub expectation: Expectation,
}

/// What a scenario is about.
#[derive(Clone, Debug)]
pub enum Expectation {
    /// Requests, one after the other.
    Steps(Vec<Step>),
    /// The configuration is refused, with errors that begin so.
    Refused {
        /// The beginnings: `paths[0].auth:`.
        errors: Vec<String>,
        /// Whether there may be more.
        more: bool,
    },
}

/// One request and what becomes of it.
#[derive(Clone, Debug)]
pub struct Step {
    /// How far the clock moves before it.
    pub(super) advance: std::time::Duration,
    pub(super) request: Request,
    pub(super) outcome: ExpectedOutcome,
    pub(super) record: Option<Record>,
    pub(super) envoy: Option<EnvoyItself>,
    pub(super) calls: Calls,
    pub(super) asked: Option<Asked>,
}

#[derive(Clone, Debug)]
pub(super) enum ExpectedOutcome {
    Forward(Forward),
    Deny(Deny),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: Text,
    pub(super) authority: String,
    pub(super) scheme: String,
    pub(super) token: Option<String>,
    pub(super) headers: Vec<(String, Text)>,
    pub(super) body: Option<Text>,
    pub(super) chunks: Vec<Text>,
    pub(super) trailers: Vec<(String, Text)>,
    pub(super) end_of_stream: Option<bool>,
    /// Whether the body never ends.
    pub(super) stalls: bool,
    /// How it is signed.
    pub(super) sign: Option<Sign>,
    pub(super) protocol: Protocol,
    /// Properties of its connection, which a real host has from the connection itself.
    pub(super) connection: BTreeMap<String, Property>,
    /// Where it comes from, likewise; `none` where the host does not tell.
    pub(super) address: Option<String>,
}

/// A property as a proxy-wasm host gives it: a boolean is one byte.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Property {
    Flag(bool),
    Text(Text),
}

/// What the client speaks with Envoy.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Protocol {
    #[default]
    Http1,
    Http2,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Forward {
    pub(super) method: Option<String>,
    pub(super) path: Option<Text>,
    pub(super) authority: Option<String>,
    pub(super) headers: BTreeMap<String, Expected>,
    pub(super) absent: Vec<String>,
    pub(super) trailers: BTreeMap<String, Expected>,
    pub(super) absent_trailers: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deny {
    pub(super) status: Option<u16>,
    pub(super) error: Option<String>,
    #[serde(default)]
    pub(super) body: Option<Value>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Expected>,
    #[serde(default)]
    pub(super) absent: Vec<String>,
    pub(super) grpc: Option<Grpc>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grpc {
    pub(super) status: u32,
    pub(super) message: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) reason: Option<String>,
    pub(super) route: Option<String>,
    pub(super) authenticator: Option<String>,
    pub(super) shadow: Option<bool>,
}

/// The last call that a provider received, of those to this cluster and this path where they are given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    pub(super) cluster: Option<String>,
    pub(super) path: Option<String>,
    pub(super) method: Option<String>,
    pub(super) headers: BTreeMap<String, Expected>,
    pub(super) absent: Vec<String>,
    pub(super) body: Option<Expected>,
}

/// Envoy answers by itself, before the filter is asked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnvoyItself {
    pub(super) status: u16,
    #[expect(dead_code, reason = "for the reader of the scenario; its presence is what is checked")]
    pub(super) because: String,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            method: "GET".to_owned(),
            path: Text::Template("/".to_owned()),
            authority: "gateway.example.com".to_owned(),
            scheme: "http".to_owned(),
            token: None,
            headers: Vec::new(),
            body: None,
            chunks: Vec::new(),
            trailers: Vec::new(),
            end_of_stream: None,
            stalls: false,
            sign: None,
            protocol: Protocol::Http1,
            connection: BTreeMap::new(),
            address: None,
        }
    }
}

/// 2027-01-15T08:00:00Z.
fn default_clock() -> u64 {
    1_800_000_000
}
