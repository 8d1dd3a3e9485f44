//! `gatepost jwks`: the public keys by which services verify identity tokens.

use std::path::PathBuf;

use gatepost::json::Json;

use crate::configuration::{Configuration, parse_variable};
use crate::failure::{Failure, print};

/// Prints the keys by which services verify identity tokens
///
/// A JWK set with the public half of `identity_token.key`, and nothing of the private one.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
    gatepost jwks gatepost.json > jwks.json
  {\"keys\": [{\"crv\": \"P-256\", \"kty\": \"EC\", \"x\": ..., \"kid\": ..., \"alg\": \"ES256\", \"use\": \"sig\"}]}

With several files the set has the keys of all of them: give services the old and the new key before the gateway
changes from one to the other.

Exit code: 0 printed, 2 wrong usage, or a configuration without a public key.")]
pub struct Arguments {
    /// Configurations with an `identity_token`, as `gatepost check` takes them; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// A variable of the VM's environment, for `{"env": "NAME"}`; may be repeated.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = parse_variable)]
    variables: Vec<(String, String)>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut keys: Vec<Json> = Vec::new();
    for file in &arguments.files {
        for configuration in Configuration::read_all(file, &arguments.variables)? {
            let key = public_key(&configuration)?;
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    let keys: Vec<String> = keys.iter().map(|key| format!("    {key}")).collect();
    print(&format!("{{\n  \"keys\": [\n{}\n  ]\n}}\n", keys.join(",\n")));
    Ok(())
}

fn public_key(configuration: &Configuration) -> Result<Json, Failure> {
    let label = &configuration.label;
    let gateway = configuration.load_for_use()?;
    let Some(issuer) = gateway.identity_token else {
        return Err(Failure::Usage(format!("{label}: identity_token: there is none")));
    };
    issuer.public_jwk().ok_or_else(|| {
        Failure::Usage(format!(
            "{label}: identity_token.algorithm: HS256 has no public key: services verify with the secret itself, and could \
             sign with it; ES256 and EdDSA have one"
        ))
    })
}
