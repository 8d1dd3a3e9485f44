//! The table on the module in Envoy: one process, one listener for each distinct configuration, all in one VM.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    net::SocketAddr,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use super::{
    check::{Check, show},
    format::{Expectation, HostName, Listener, Protocol, Scenario, Step},
    identity::IdentitySet,
    native::numbered,
    observed::{Answer, Observed, Received, Sent, placeholders},
    placeholder::Placeholders,
    providers,
    report::Report,
    table::Table,
};
use crate::{
    client,
    echo::{Echo, Seen, sha256},
    envoy::{self, Endpoint, Envoy, EnvoyError, Gateway},
    provider::Provider,
};

mod cold;

/// Runs every scenario that names this host.
pub fn run(table: &Table, module: &Path) -> Result<Report, EnvoyError> {
    let io = |what: &str| {
        let what = what.to_owned();
        move |source| EnvoyError::Io { what, source }
    };
    let echo = Echo::spawn().map_err(io("the echo service"))?;
    let provider = Provider::spawn().map_err(io("the identity provider"))?;
    let scenarios: Vec<&Scenario> = table.on(HostName::Envoy).collect();
    let mut clusters: BTreeMap<String, Endpoint> = BTreeMap::new();
    for scenario in &scenarios {
        clusters.extend(chosen_clusters(&scenario.configuration).into_iter().map(|name| (name, Endpoint::Service)));
    }
    for scenario in &scenarios {
        clusters.extend(scenario.providers.keys().map(|name| (name.clone(), Endpoint::At(provider.address()))));
    }
    let gateway = Gateway {
        module,
        environment: &table.environment,
        service: echo.address(),
        clusters,
        direct_responses: BTreeMap::new(),
        http2_upstream: false,
    };
    let (cold, warm): (Vec<&Scenario>, Vec<&Scenario>) = scenarios.into_iter().partition(|scenario| is_cold(scenario));
    let mut names: BTreeMap<(&Listener, &str), String> = BTreeMap::new();
    let mut listeners = vec![cold::anchor()];
    // Good configurations first: their VM stays, and a bad one then costs no compilation of its own.
    let (good, bad): (Vec<&Scenario>, Vec<&Scenario>) =
        warm.into_iter().partition(|scenario| matches!(scenario.expectation, Expectation::Steps(_)));
    for scenario in good.iter().chain(&bad) {
        names.entry((&scenario.listener, &scenario.configuration)).or_insert_with(|| {
            let name = format!("configuration-{}-", listeners.len());
            listeners.push(listener(name.clone(), scenario));
            name
        });
    }
    // By file: a configuration that is refused costs its own scenarios and no others.
    let lds = envoy::lds_resources(&gateway, &listeners);
    // One worker, as look-ups of tokens are counted and each worker has its own; tests/providers.rs has several.
    let envoy = Envoy::start_with(&gateway.bootstrap_with_lds(), &[("lds.json", lds)], 1)?;
    let addresses: BTreeMap<String, SocketAddr> = envoy.listeners().into_iter().collect();
    let log = envoy.log();
    let mut report = Report::new("Envoy");
    for scenario in good.into_iter().chain(bad) {
        let name = &names[&(&scenario.listener, scenario.configuration.as_str())];
        let logged = lines_of(&log, name);
        let differences = match (&scenario.expectation, addresses.get(name)) {
            (Expectation::Steps(steps), Some(address)) => {
                run_steps(scenario, steps, *address, &placeholders(scenario, now()), None)
            }
            (Expectation::Steps(_), None) => not_there(logged),
            (Expectation::Refused { errors, .. }, address) => refusal_differences(errors, address.copied(), &logged),
        };
        report.add(scenario, &differences);
    }
    cold::run(&cold, &gateway, &envoy, &provider, &mut report).map_err(io("the listeners with providers"))?;
    report.note(envoy.traps().iter().map(String::as_str));
    Ok(report)
}

/// Whether it begins with a provider that nobody has asked yet.
fn is_cold(scenario: &Scenario) -> bool {
    !scenario.providers.is_empty() && matches!(scenario.expectation, Expectation::Steps(_))
}

/// A bad configuration: its listener is refused, and the log says where each error is.
fn refusal_differences(errors: &[String], address: Option<SocketAddr>, logged: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(address) = address {
        let request = b"GET / HTTP/1.1\r\nhost: gateway.example.com\r\n\r\n";
        match client::send(address, request, false) {
            Ok(response) if response.header("x-echo").is_some() => lines.push("the request was FORWARDED".to_owned()),
            other => {
                lines.push(format!("the listener is there, and answers {:?}", other.map(|response| response.status)))
            }
        }
    }
    let missing = errors.iter().filter(|error| !logged.iter().any(|line| line.contains(error.as_str())));
    lines.extend(missing.map(|error| format!("no line of this plugin in Envoy's log holds {error:?}")));
    lines
}

fn run_steps(
    scenario: &Scenario,
    steps: &[Step],
    address: SocketAddr,
    placeholders: &Placeholders<'_>,
    provider: Option<&Provider>,
) -> Vec<String> {
    let identity = IdentitySet::of(&scenario.configuration);
    let mut lines = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let sent = match Sent::of(step, placeholders) {
            Ok(sent) => sent,
            Err(error) => return vec![error],
        };
        let response = send(address, &sent, step.request.protocol);
        let differences = match (&step.envoy, response) {
            (Some(itself), Ok(response)) if response.header("x-echo").is_none() => {
                match response.status == itself.status {
                    true => Vec::new(),
                    false => {
                        vec![format!("Envoy itself should answer {}, it answers {}", itself.status, response.status)]
                    }
                }
            }
            (Some(itself), Ok(_)) => vec![format!("Envoy itself should answer {}, it FORWARDED", itself.status)],
            (None, Ok(response)) => {
                let check = Check { step, sent: &sent, placeholders, identity: &identity };
                let mut differences = check.differences(&observe(&sent, response));
                differences.extend(
                    provider.iter().flat_map(|provider| providers::differences(&provider.script(), scenario, &check)),
                );
                differences
            }
            (_, Err(error)) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
                vec!["no answer from Envoy: the request waits for ever".to_owned()]
            }
            (_, Err(error)) => vec![format!("no answer from Envoy: {error}")],
        };
        lines.extend(differences.into_iter().map(|line| numbered(steps, index, line)));
    }
    lines
}

fn send(address: SocketAddr, sent: &Sent, protocol: Protocol) -> std::io::Result<client::Response> {
    match protocol {
        Protocol::Http1 => client::send(address, &http1_bytes(sent), sent.method == "HEAD"),
        Protocol::Http2 => {
            let framing = |name: &str| ["transfer-encoding", "content-length"].contains(&name);
            client::http2::send(
                address,
                &client::http2::Request {
                    method: sent.method.clone(),
                    authority: sent.authority.clone(),
                    path: String::from_utf8_lossy(&sent.path).into_owned(),
                    headers: sent.headers.iter().filter(|(name, _)| !framing(name)).cloned().collect(),
                    chunks: sent.chunks.clone(),
                    trailers: sent.trailers.clone(),
                    end_of_stream: sent.end_of_stream,
                    stalls: sent.stalls,
                    ..client::http2::Request::default()
                },
            )
        }
    }
}

/// The request on the wire, byte for byte.
fn http1_bytes(sent: &Sent) -> Vec<u8> {
    let mut bytes = Vec::new();
    let field = |name: &str, value: &[u8]| [name.as_bytes(), b": ", value, b"\r\n"].concat();
    bytes.extend([sent.method.as_bytes(), b" ", &sent.path, b" HTTP/1.1\r\n"].concat());
    bytes.extend(field("host", sent.authority.as_bytes()));
    for (name, value) in &sent.headers {
        bytes.extend(field(name, value));
    }
    bytes.extend(b"\r\n");
    let chunked = sent
        .headers
        .iter()
        .any(|(name, value)| name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case(b"chunked"));
    if !chunked {
        bytes.extend(sent.body());
        return bytes;
    }
    for chunk in sent.chunks.iter().filter(|chunk| !chunk.is_empty()) {
        bytes.extend([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    }
    if sent.stalls {
        return bytes;
    }
    bytes.extend(b"0\r\n");
    for (name, value) in &sent.trailers {
        bytes.extend(field(name, value));
    }
    bytes.extend(b"\r\n");
    bytes
}

/// The echo's mark tells whether the service was reached.
fn observe(sent: &Sent, response: client::Response) -> Observed {
    let Some(mark) = response.header("x-echo") else {
        return Observed::Answered(Answer::new(response.status, response.headers, response.body));
    };
    let seen = match Seen::read(mark, &response.body) {
        Ok(seen) => seen,
        Err(error) => return Observed::Neither(format!("{error}: {}", show(&response.body))),
    };
    let fields = |pairs: Vec<(String, crate::echo::Octets)>| pairs.into_iter().map(|(name, value)| (name, value.0));
    let (host, headers): (Vec<_>, Vec<_>) = fields(seen.headers).partition(|(name, _)| name == "host");
    let body = sent.body();
    // The echo tells the body's length and hash: what is equal is given back, what is not is told by its length.
    let same = (seen.body_length, seen.body_sha256) == (body.len(), sha256(&body));
    Observed::Forwarded(Received {
        method: seen.method,
        path: seen.path.0,
        authority: host.first().map(|(_, value)| String::from_utf8_lossy(value).into_owned()).unwrap_or_default(),
        headers,
        body: if same { body } else { vec![0; seen.body_length.max(1)] },
        trailers: fields(seen.trailers).collect(),
    })
}

fn listener(name: String, scenario: &Scenario) -> envoy::Listener {
    envoy::Listener {
        name,
        configuration: scenario.configuration.clone(),
        normalize_path: scenario.listener.normalize_path,
        stop_iteration: scenario.listener.stop_iteration,
    }
}

/// What a plugin has logged.
fn lines_of<'a>(log: &'a str, name: &str) -> Vec<&'a str> {
    let mark = format!("wasm log {name}");
    log.lines().filter(|line| line.contains(&mark)).collect()
}

/// The time, in Unix seconds.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs())
}

/// What the log says of a listener that should be there.
fn not_there(logged: Vec<&str>) -> Vec<String> {
    let lines = logged.into_iter().map(|line| format!("the configuration is refused: {line}"));
    std::iter::once("there is no such listener".to_owned()).chain(lines).collect()
}

/// The clusters that a configuration can choose for a request.
fn chosen_clusters(configuration: &str) -> BTreeSet<String> {
    let configuration: Value = serde_json::from_str(configuration).unwrap_or_default();
    let items = |name: &str| configuration[name].as_array().cloned().unwrap_or_default();
    let servers = items("servers").into_iter().map(|server| server["cluster"].clone());
    let direct = items("paths").into_iter().map(|path| path["integration"]["server"].clone());
    servers.chain(direct).filter_map(|name| name.as_str().map(str::to_owned)).filter(|name| !name.is_empty()).collect()
}
