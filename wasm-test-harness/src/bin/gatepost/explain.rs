//! `gatepost explain`: what the filter would do with a request, and why, without a proxy.

mod account;
mod providers;
mod redact;
mod report;
pub mod request;
mod steps;

use std::path::PathBuf;
use std::time::Duration;

use gatepost::engine::Engine;

use crate::configuration::{Configuration, parse_variable};
use crate::failure::{Failure, print};
use crate::time::{parse_time, time};
use crate::view::View;
use account::Account;
use providers::{Answers, parse_answer};
use redact::Redaction;
use report::Report;
use request::{Request, RequestArguments};

/// Decides one request as the filter would, and tells how
///
/// Without a proxy: the route and why not another, where credentials were found, each check with its result, and what the service
/// would receive, or the caller be told.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  $ gatepost explain envoy.yaml --path '/proxy/orders/7?source=web' \\
      --header \"authorization: Bearer $(gatepost token --key es1 --sub user-1 \\
                --iss https://demo-issuer.example --aud demo)\" \\
      --header 'x-user-id: admin'

  What an identity provider would be asked is told; its answer can be given:
    gatepost explain gateway.yaml --path /orders/7 --header \"authorization: Bearer $TOKEN\" \\
      --answer https://idp.example.com/.well-known/jwks.json=keys.json

Tokens and other credentials are never printed, only their length.

Exit code: 0 the request would be forwarded, 1 it would be refused or waits for a provider, 2 wrong
usage, or a configuration that cannot be read or is not valid.")]
pub struct Arguments {
    /// The configuration: JSON or YAML, or an Envoy bootstrap; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    request: RequestArguments,

    /// When: Unix seconds, or RFC 3339 such as 2027-01-01T00:00:00Z [default: now].
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Duration>,

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
    let (gateway, written) = (configuration.load_for_use()?, configuration.tree());
    let request = Request::new(&arguments.request);
    let now = time(arguments.at)?;

    let answers = Answers::read(&arguments.answers)?;
    let body = arguments.request.body.as_deref().unwrap_or_default().as_bytes();
    // Nothing random is told.
    let explained = steps::explain(Engine::new(gateway, 0), &request.head(), body, now, &answers);
    // The engine keeps its own.
    let gateway = configuration.load_for_use()?;
    let account = Account::of(View { gateway: &gateway, written: &written }, &request.head(), &explained.steps);
    let report = Report::new(&request, explained, account, &Redaction::new(&written));
    print(&if arguments.json { format!("{:#}\n", report.to_json()) } else { report.to_string() });
    if !report.is_forwarded() { Err(Failure::Refused) } else { Ok(()) }
}
