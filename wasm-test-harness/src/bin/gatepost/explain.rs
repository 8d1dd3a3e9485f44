//! `gatepost explain`: what the filter would do with a request, and why, without a proxy.

mod providers;
mod redact;
mod report;
mod request;
mod steps;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatepost::engine::{Engine, UnixTime};

use crate::configuration::{Configuration, parse_variable};
use crate::failure::{Failure, print};
use providers::{Answers, parse_answer};
use redact::Redaction;
use report::Report;
use request::Request;

/// Decides one request and tells the route, each step, and what would be forwarded or answered.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  $ gatepost explain envoy.yaml --path '/proxy/orders/7?source=web' \\
      --header \"authorization: Bearer $(gatepost token --key es1 --sub user-1 \\
                --iss https://demo-issuer.example --aud demo)\" \\
      --header 'x-user-id: admin'

What an identity provider would be asked is told; its answer can be given:
  $ gatepost explain gateway.yaml --path /orders/7 --header \"authorization: Bearer $TOKEN\" \\
      --answer https://idp.example.com/.well-known/jwks.json=keys.json

Tokens and other credentials are never printed, only their length. The exit code is 0 where the
request would be forwarded, 1 where it would be refused or that depends on a provider.")]
pub struct Arguments {
    /// The configuration: JSON or YAML, or an Envoy bootstrap; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The method.
    #[arg(long, default_value = "GET")]
    method: String,

    /// The path and query, as the client would send them.
    #[arg(long)]
    path: String,

    /// A header; may be repeated, also with the same name.
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", value_parser = request::parse_header)]
    headers: Vec<(String, String)>,

    /// The host that the client asks for.
    #[arg(long, default_value = "localhost")]
    authority: String,

    /// The scheme by which the client came.
    #[arg(long, default_value = "https")]
    scheme: String,

    /// When: Unix seconds, or RFC 3339 such as 2027-01-01T00:00:00Z [default: now].
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Duration>,

    /// The body.
    #[arg(long)]
    body: Option<String>,

    /// What an identity provider answers, with status 200; may be repeated.
    #[arg(long = "answer", value_name = "URL=FILE", value_parser = parse_answer)]
    answers: Vec<(String, PathBuf)>,

    /// A variable of the VM's environment, for `{"env": "NAME"}`; may be repeated.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = parse_variable)]
    variables: Vec<(String, String)>,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let configuration = Configuration::read_one(&arguments.file, &arguments.variables)?;
    let gateway = configuration.load().map_err(|errors| {
        let lines: Vec<_> = errors.iter().map(|error| format!("{}: {error}", configuration.label)).collect();
        Failure::Invalid(format!("the configuration is not valid\n{}", lines.join("\n")))
    })?;
    let request = Request::new(arguments);
    let now = arguments.at.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
    let nanos = u64::try_from(now.as_nanos())
        .map_err(|_| Failure::Usage("--at: gatepost's clock ends in the year 2554".to_owned()))?;

    let answers = Answers::read(&arguments.answers)?;
    let body = arguments.body.as_deref().unwrap_or_default().as_bytes();
    // Nothing random is told.
    let explained =
        steps::explain(Engine::new(gateway, 0), &request.head(), body, UnixTime::from_nanos(nanos), &answers);
    let report = Report::new(&request, explained, &Redaction::new(&configuration.tree()));
    print(&if arguments.json { format!("{:#}\n", report.to_json()) } else { report.to_string() });
    if !report.is_forwarded() { Err(Failure::Refused) } else { Ok(()) }
}

fn parse_time(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    humantime::parse_rfc3339_weak(text)
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .ok_or_else(|| "write Unix seconds or RFC 3339, for example 2027-01-01T00:00:00Z".to_owned())
}
