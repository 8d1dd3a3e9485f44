//! The native command `gatepost`: checks configurations, explains requests, mints test tokens, runs the demo.

mod check;
mod configuration;
mod explain;
mod failure;
mod hash_key;
mod jwks;
mod run;
mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The companion of the gatepost filter: what it would do, said before it does it.
#[derive(Parser)]
#[command(name = "gatepost", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 fine, 1 refused or invalid, 2 wrong usage.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::Arguments),
    Explain(explain::Arguments),
    Token(token::Arguments),
    HashKey(hash_key::Arguments),
    Jwks(jwks::Arguments),
    Run(run::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Token(arguments) => token::run(&arguments),
        Command::HashKey(arguments) => hash_key::run(&arguments),
        Command::Jwks(arguments) => jwks::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(message) = failure.message() {
                eprintln!("gatepost: {message}");
            }
            ExitCode::from(failure.exit_code())
        }
    }
}
