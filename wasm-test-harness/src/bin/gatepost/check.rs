//! `gatepost check`: every error of a configuration with its place, and what a reviewer should know of a good one.

mod authenticators;
mod code;
mod forwarding;
mod gateway;
mod limits;
mod routes;
mod warning;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use gatepost::config::ConfigError;
use gatepost::config::gateway::Gateway;
use serde_json::{Value, json};

use crate::configuration::{Configuration, parse_variable};
use crate::failure::{Failure, print};
use crate::output::{ERROR, GOOD, WARNING, styled};
use crate::time::{parse_time, time};
use crate::view::{View, counted};
use code::Code;
use warning::{Allowed, Subject, Warning, Warnings, parse_allowed};

/// Checks configurations, and warns of what is allowed and seldom meant
///
/// Every error is named at once, with its place: the module refuses to start with one. It starts with a warning, which is for whoever
/// reviews the configuration: docs/warnings.md says what each means and what to do.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  $ gatepost check envoy.yaml

  Nothing that has not been accepted passes; one warning is, at one place:
  $ gatepost check gateway.json --deny-warnings --allow shadow-mode@paths[1].mode

  What a warning means, and what to do about it:
  $ gatepost check --explain public-under-protected

A file is the plugin configuration (JSON, or the same as YAML), an Envoy bootstrap (the wasm filters'
configurations are found in it), or an Istio WasmPlugin. docs/warnings.md lists the warnings.

Exit code: 0 no error, 1 errors (or warnings, with --deny-warnings), 2 wrong usage or a file that
cannot be read.")]
pub struct Arguments {
    /// Files to check; `-` is standard input.
    #[arg(required_unless_present = "explain", value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Warnings count as errors do.
    #[arg(long)]
    deny_warnings: bool,

    /// A warning to leave out, everywhere or at one place (CODE@PLACE); may be repeated.
    #[arg(long = "allow", value_name = "CODE", value_parser = parse_allowed)]
    allowed: Vec<Allowed>,

    /// Print what a warning means instead.
    #[arg(long, value_name = "CODE", value_parser = parse_code, conflicts_with = "files")]
    explain: Option<Code>,

    /// The time that keys may have passed: Unix seconds, or RFC 3339 [default: now].
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Duration>,

    /// A variable of the VM's environment, for `{"env": "NAME"}`; may be repeated.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = parse_variable)]
    variables: Vec<(String, String)>,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What was found in one configuration.
struct Checked {
    /// Its file, and where in it.
    label: String,
    full_label: String,
    outcome: Result<Good, Vec<Problem>>,
}

struct Good {
    routes: usize,
    authenticators: usize,
    warnings: Vec<Warning>,
}

/// An error, and its place where it has one.
struct Problem {
    place: String,
    message: String,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(code) = arguments.explain {
        print(&format!("{}\n\n{}\n{}\n", code.name(), code.meaning(), code.remedy()));
        return Ok(());
    }
    let mut all = Vec::new();
    let mut unreadable = None;
    for file in &arguments.files {
        match Configuration::read_all(file, &arguments.variables) {
            Ok(configurations) => {
                let checked = configurations.iter().map(|configuration| check(configuration, arguments));
                all.extend(checked.collect::<Result<Vec<_>, _>>()?);
            }
            Err(Failure::Invalid(message)) => {
                let label = file.display().to_string();
                let message = message.strip_prefix(&format!("{label}: ")).unwrap_or(&message).to_owned();
                let outcome = Err(vec![Problem { place: String::new(), message }]);
                all.push(Checked { full_label: label.clone(), label, outcome });
            }
            // The other files are looked at all the same.
            Err(failure) => unreadable = Some(failure),
        }
    }
    let errors: usize = all.iter().map(|checked| checked.outcome.as_ref().map_or_else(Vec::len, |_| 0)).sum();
    let warnings: usize =
        all.iter().map(|checked| checked.outcome.as_ref().map_or(0, |good| good.warnings.len())).sum();
    if arguments.json {
        let configurations: Vec<Value> = all.iter().map(Checked::to_json).collect();
        let report = json!({"configurations": configurations, "errors": errors, "warnings": warnings});
        print(&format!("{report:#}\n"));
    } else {
        let mut report: String = all.iter().map(Checked::to_text).collect();
        let counts = [(errors, "error"), (warnings, "warning")];
        let counts: Vec<_> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, thing)| counted(*count, thing)).collect();
        if !counts.is_empty() {
            let _ = writeln!(report, "{}", counts.join(", "));
        }
        print(&report);
    }
    match unreadable {
        Some(failure) => Err(failure),
        None if errors > 0 || (arguments.deny_warnings && warnings > 0) => Err(Failure::Refused),
        None => Ok(()),
    }
}

fn check(configuration: &Configuration, arguments: &Arguments) -> Result<Checked, Failure> {
    let outcome = match configuration.load() {
        Ok(gateway) => Ok(review(&gateway, configuration, arguments)?),
        Err(errors) => {
            let problem = |ConfigError { path, kind }| Problem { place: path, message: kind.to_string() };
            Err(errors.into_iter().map(problem).collect())
        }
    };
    Ok(Checked { label: configuration.label.clone(), full_label: configuration.full_label(), outcome })
}

fn review(gateway: &Gateway, configuration: &Configuration, arguments: &Arguments) -> Result<Good, Failure> {
    let written = configuration.tree();
    let view = View { gateway, written: &written };
    let mut warnings = Warnings::of(&Subject { view, configuration, now: time(arguments.at)? });
    warnings.retain(|warning| !warning.is_allowed(&arguments.allowed));
    Ok(Good { routes: gateway.routes.len(), authenticators: gateway.authenticators.len(), warnings })
}

impl Checked {
    fn to_text(&self) -> String {
        let mut text = String::new();
        match &self.outcome {
            Ok(Good { routes, authenticators, warnings }) => {
                for Warning { code, place, message } in warnings {
                    let head = styled(WARNING, &format!("warning[{}]", code.name()));
                    let _ = writeln!(text, "{}: {place}: {head}: {message}", self.full_label);
                }
                let _ = writeln!(
                    text,
                    "{}: {}, {}, {}",
                    self.label,
                    styled(GOOD, "ok"),
                    counted(*routes, "route"),
                    counted(*authenticators, "authenticator")
                );
            }
            Err(problems) => {
                for Problem { place, message } in problems {
                    let place = if place.is_empty() { String::new() } else { format!("{}: ", styled(ERROR, place)) };
                    let _ = writeln!(text, "{}: {place}{message}", self.full_label);
                }
            }
        }
        text
    }

    fn to_json(&self) -> Value {
        let error = |problem: &Problem| json!({"place": problem.place, "message": problem.message});
        match &self.outcome {
            Ok(good) => json!({
                "source": self.full_label,
                "valid": true,
                "routes": good.routes,
                "authenticators": good.authenticators,
                "errors": [],
                "warnings": good.warnings.iter().map(Warning::to_json).collect::<Vec<_>>(),
            }),
            Err(problems) => json!({
                "source": self.full_label,
                "valid": false,
                "errors": problems.iter().map(error).collect::<Vec<_>>(),
                "warnings": [],
            }),
        }
    }
}

fn parse_code(text: &str) -> Result<Code, String> {
    Code::from_name(text).ok_or_else(|| "there is no such warning; docs/warnings.md lists them".to_owned())
}
