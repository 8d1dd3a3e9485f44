//! `gatepost contract`: what services may rely on, and what changed about it.

mod diff;
mod markdown;
mod model;
mod settings;
mod state;
mod value;

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::json;

use crate::configuration::{Configuration, parse_variable};
use crate::failure::{Failure, print};
use crate::output::{GOOD, WARNING, styled};
use crate::view::{View, counted};
use diff::{Change, Effect};
use model::Contract;

/// Writes down what services may rely on, or what changed about it
///
/// For the owners of services: who may call each route, which headers and query parameters the gateway sets and who vouches for them,
/// what no client can set, and how to verify the identity token. With --diff it tells in words what changed since another version,
/// and what of it lets more through. What counts is what decides about requests, not how that is written.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  $ gatepost contract envoy.yaml

  What a change of the configuration means, before it is merged:
  $ gatepost contract gateway.new.json --diff gateway.json

The order is that of paths, so that two versions can be compared by other tools as well.

Exit code: 0 done, 1 something changed (with --diff and --exit-code), 2 wrong usage or a configuration
that cannot be read or is not valid.")]
pub struct Arguments {
    /// The configuration, as `gatepost check` takes it; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Tell what changed since this version instead.
    #[arg(long, value_name = "OLDER")]
    diff: Option<PathBuf>,

    /// End with 1 where something changed.
    #[arg(long, requires = "diff")]
    exit_code: bool,

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
    let view = View { gateway: &gateway, written: &written };
    let Some(older) = &arguments.diff else {
        let contract = Contract::of(view);
        print(&match arguments.json {
            true => format!("{:#}\n", json!(contract)),
            false => markdown::render(&contract, &configuration.label),
        });
        return Ok(());
    };
    let older = Configuration::read_one(older, &arguments.variables)?;
    let (older_gateway, older_written) = (older.load_for_use()?, older.tree());
    let changes = diff::diff(View { gateway: &older_gateway, written: &older_written }, view);
    print(&match arguments.json {
        true => format!("{:#}\n", json!({"changes": changes, "loosened": loosened(&changes)})),
        false => render(&changes),
    });
    if arguments.exit_code && !changes.is_empty() { Err(Failure::Refused) } else { Ok(()) }
}

fn loosened(changes: &[Change]) -> usize {
    changes.iter().filter(|change| change.effect == Effect::Loosened).count()
}

/// One line a change, those that let more through first.
fn render(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "nothing changed for callers and services\n".to_owned();
    }
    let mut changes: Vec<&Change> = changes.iter().collect();
    changes.sort_by_key(|change| change.effect);
    let mut text = String::new();
    for Change { subject, change, effect } in &changes {
        let padded = format!("{:<9}", effect.name());
        let label = match effect {
            Effect::Loosened => styled(WARNING, &padded),
            Effect::Tightened => styled(GOOD, &padded),
            Effect::Changed => padded,
        };
        let _ = writeln!(text, "{label}  {subject}: {change}");
    }
    let count = changes.iter().filter(|change| change.effect == Effect::Loosened).count();
    let _ = writeln!(text, "{}, of which {count} loosened", counted(changes.len(), "change"));
    text
}
