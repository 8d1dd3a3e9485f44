//! `gatepost jwks`: the public keys by which services verify identity tokens.

use std::fmt::Write as _;
use std::path::PathBuf;

use gatepost::json::Json;

use crate::configuration::{Configuration, parse_variable};
use crate::failure::{Failure, print};

/// Prints the JWK set by which services verify a gateway's identity tokens.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  $ gatepost jwks gatepost.json > jwks.json
  {\"keys\": [{\"crv\": \"P-256\", \"kty\": \"EC\", \"x\": ..., \"kid\": ..., \"alg\": \"ES256\", \"use\": \"sig\"}]}

With several files the set has the keys of all of them: give services the old and the new key before the gateway
changes from one to the other.")]
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
    let gateway = configuration.load().map_err(|errors| {
        let mut message = format!("{label}: no configuration that runs");
        for error in errors {
            let _ = write!(message, "\n{label}: {error}");
        }
        Failure::Invalid(message)
    })?;
    let Some(issuer) = gateway.identity_token else {
        return Err(Failure::Invalid(format!("{label}: identity_token: there is none")));
    };
    issuer.public_jwk().ok_or_else(|| {
        Failure::Invalid(format!(
            "{label}: identity_token.algorithm: HS256 has no public key: services verify with the secret itself, and could \
             sign with it; ES256 and EdDSA have one"
        ))
    })
}
