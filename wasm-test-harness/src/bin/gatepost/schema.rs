//! `gatepost schema`: the JSON Schema of configurations, for editors.

use wasm_test_harness::schema;

use crate::failure::{Failure, print};

/// Prints the JSON Schema of configurations, for editors and other tools
///
/// Editors complete members by it, show what they mean, and mark what cannot be.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  $ gatepost schema > gatepost.schema.json

How an editor is told of it: docs/configuration.md. A schema sees the shape of a configuration; names that
nothing has, keys that cannot be read and what contradicts itself are told by `gatepost check`.

Exit code: 0 printed, 2 wrong usage.")]
pub struct Arguments {}

pub fn run(Arguments {}: &Arguments) -> Result<(), Failure> {
    print(&schema::text());
    Ok(())
}
