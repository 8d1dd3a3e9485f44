//! `gatepost completions`: what a shell needs to complete commands.

use std::io::{self, Write as _};

use clap::Command;
use clap_complete::Shell;

use crate::failure::Failure;

/// Prints a script by which a shell completes the command
///
/// It knows all subcommands, options and their values.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  $ gatepost completions bash

  In ~/.bashrc: source <(gatepost completions bash)
  For zsh, into a folder of $fpath: gatepost completions zsh > _gatepost

Exit code: 0 printed, 2 wrong usage.")]
pub struct Arguments {
    /// The shell.
    shell: Shell,
}

pub fn run(arguments: &Arguments, mut command: Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "gatepost", &mut script);
    // Byte for byte, to a terminal too.
    let _ = io::stdout().write_all(&script);
    Ok(())
}
