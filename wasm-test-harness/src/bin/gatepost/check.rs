//! `gatepost check`: every error of a configuration, with its place.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::Value;

use crate::configuration::{Configuration, parse_variable};
use crate::failure::{Failure, print};

/// Checks configurations and names every error at once, with its place.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  $ gatepost check envoy.yaml
  envoy.yaml: ok, 2 routes, 1 authenticator

  $ gatepost check broken.json
  broken.json: paths[0].auth: required
  1 error

A file is the plugin configuration (JSON, or the same as YAML), an Envoy bootstrap (the wasm filter's
configuration is found in it), or an Istio WasmPlugin.")]
pub struct Arguments {
    /// Files to check; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// A variable of the VM's environment, for `{"env": "NAME"}`; may be repeated.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = parse_variable)]
    variables: Vec<(String, String)>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut report = String::new();
    let mut count = 0_usize;
    let mut unusable = None;
    for file in &arguments.files {
        match Configuration::read_all(file, &arguments.variables) {
            Ok(configurations) => {
                for configuration in configurations {
                    count += check(&configuration, &mut report);
                }
            }
            Err(Failure::Invalid(message)) => {
                let _ = writeln!(report, "{message}");
                count += 1;
            }
            // The other files are looked at all the same.
            Err(failure) => unusable = Some(failure),
        }
    }
    if count > 0 {
        let _ = writeln!(report, "{}", counted(count, "error"));
    }
    print(&report);
    match unusable {
        Some(failure) => Err(failure),
        None if count > 0 => Err(Failure::Refused),
        None => Ok(()),
    }
}

/// Appends what there is to say of one configuration; returns the number of its errors.
fn check(configuration: &Configuration, report: &mut String) -> usize {
    let label = &configuration.label;
    match configuration.load() {
        Ok(_) => {
            let tree = configuration.tree();
            let routes = tree["paths"].as_array().map_or(0, Vec::len);
            let authenticators = tree["authenticators"].as_object().map_or(0, serde_json::Map::len)
                + usize::from(tree.get("authorizer").is_some_and(Value::is_object));
            let _ = writeln!(
                report,
                "{label}: ok, {}, {}",
                counted(routes, "route"),
                counted(authenticators, "authenticator")
            );
            0
        }
        Err(errors) => {
            for error in &errors {
                let _ = writeln!(report, "{label}: {error}");
            }
            errors.len()
        }
    }
}

fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}
