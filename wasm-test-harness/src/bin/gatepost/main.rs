//! The native command `gatepost`: checks configurations, explains requests, tells services what they may rely on, mints
//! test tokens, runs the demo.

mod access;
mod bench;
mod check;
mod completions;
mod configuration;
mod contract;
mod durations;
mod explain;
mod failure;
mod hash_key;
mod jwks;
mod output;
mod probe;
mod run;
mod schema;
mod time;
mod token;
mod view;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// The companion of the gatepost filter: what it would do, said before it does it.
#[derive(Parser)]
#[command(name = "gatepost", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "\
Examples:
  $ gatepost check envoy.yaml
  $ gatepost explain envoy.yaml --path /health
  $ gatepost contract envoy.yaml

Exit codes: 0 success; 1 a finding: errors or denied warnings, a request that is refused, a difference
with --exit-code, a demo that fails; 2 wrong usage, or an input that cannot be read or used. What was
asked for goes to standard output, complaints to standard error. Colours are for terminals alone, and
NO_COLOR turns them off.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::Arguments),
    Explain(explain::Arguments),
    Contract(contract::Arguments),
    Token(token::Arguments),
    HashKey(hash_key::Arguments),
    Jwks(jwks::Arguments),
    Bench(bench::Arguments),
    Run(run::Arguments),
    Schema(schema::Arguments),
    Completions(completions::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Contract(arguments) => contract::run(&arguments),
        Command::Token(arguments) => token::run(&arguments),
        Command::HashKey(arguments) => hash_key::run(&arguments),
        Command::Jwks(arguments) => jwks::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments, Arguments::command()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(message) = failure.message() {
                output::complain(message);
            }
            ExitCode::from(failure.exit_code())
        }
    }
}
