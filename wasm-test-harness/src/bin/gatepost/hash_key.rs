//! `gatepost hash-key`: what a configuration holds of an API key.

use std::io::{self, IsTerminal as _, Read as _};
use std::time::{Duration, SystemTime};

use gatepost::engine::UnixTime;
use rsa::rand_core::{OsRng, RngCore as _};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::failure::{Failure, print};

/// Hashes an API key for a configuration, or makes a key
///
/// What is printed is a ready entry for `keys`: the configuration holds nothing by which anybody could get in.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  $ gatepost hash-key --generate --id ci --owner acme --scope orders:read --expires 90d
  key: gp_...
  sha256: 2c26b46b...
  {\"id\":\"ci\",\"sha256\":\"2c26b46b...\",\"owner\":\"acme\",\"scopes\":[\"orders:read\"],\"expires_at\":\"2027-01-01T00:00:00Z\"}

  A key that exists already, read from standard input so that no process list and no history shows it:
    gatepost hash-key --id ci < key.txt

A key is shown this once: hand it over, and keep the entry, which is the last line. A last line end is
not part of a key.

Exit code: 0 hashed, 2 wrong usage, or a key or an entry that could not be used.")]
pub struct Arguments {
    /// Make a key of 256 random bits, instead of reading one.
    #[arg(long)]
    generate: bool,

    /// The id, which services see as the subject [default: `key-` and the first digits of the SHA-256].
    #[arg(long)]
    id: Option<String>,

    /// Whose key it is.
    #[arg(long)]
    owner: Option<String>,

    /// A scope that it has; may be repeated.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,

    /// A role that it has; may be repeated.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,

    /// When it ends: a time such as 2027-01-01T00:00:00Z, or a duration from now such as 90d [default: never].
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
}

/// An entry of `keys`.
#[derive(Serialize)]
struct Entry<'a> {
    id: String,
    sha256: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    scopes: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    roles: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let expires_at = arguments.expires.as_deref().map(read_time).transpose()?;
    let key = if arguments.generate { generate() } else { read_key()? };
    let sha256 = format!("{:x}", Sha256::digest(&key));
    let entry = Entry {
        id: arguments.id.clone().unwrap_or_else(|| format!("key-{}", &sha256[..8])),
        sha256: &sha256,
        owner: arguments.owner.as_deref(),
        scopes: &arguments.scopes,
        roles: &arguments.roles,
        expires_at,
    };
    let entry = serde_json::to_string(&entry).expect("an entry is texts alone");
    check(&entry)?;
    let shown = if arguments.generate { format!("key: {key}\n") } else { String::new() };
    print(&format!("{shown}sha256: {sha256}\n{entry}\n"));
    Ok(())
}

/// Has the filter itself judge the entry.
fn check(entry: &str) -> Result<(), Failure> {
    let configuration = format!(
        r#"{{"authorizer": {{"type": "api_key", "keys": [{entry}]}}, "paths": [{{"method": "GET", "path": "/", "auth": true}}]}}"#
    );
    let errors = gatepost::config::load(configuration.as_bytes(), &|_| None).err().unwrap_or_default();
    let errors = errors.iter().map(|error| error.to_string().replace("authorizer.keys[0].", "")).collect::<Vec<_>>();
    if errors.is_empty() { Ok(()) } else { Err(Failure::Usage(errors.join("\n"))) }
}

fn read_key() -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        eprintln!("gatepost: type or paste the key, and end it with Enter and Ctrl-D");
    }
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => unusable("is not UTF-8 text"),
        _ => Failure::Usage(format!("standard input: {error}")),
    })?;
    let key = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if key.is_empty() {
        return Err(unusable("is empty"));
    }
    // No header could carry it as it is.
    if key.contains(char::is_control) || key.trim() != key {
        return Err(unusable("has white space at an end, several lines, or control characters"));
    }
    if key.len() < SHORTEST_STRONG {
        eprintln!(
            "gatepost: the key is short: whoever sees its SHA-256 can guess it. `--generate` makes one that nobody guesses"
        );
    }
    Ok(key.to_owned())
}

fn unusable(why: &str) -> Failure {
    Failure::Usage(format!("the key on standard input {why}"))
}

/// A key by whose beginning people and secret scanners know what it is.
fn generate() -> String {
    let mut key = GENERATED_PREFIX.to_owned();
    while key.len() < GENERATED_PREFIX.len() + GENERATED_LENGTH {
        let mut bytes = [0; 64];
        OsRng.fill_bytes(&mut bytes);
        // 248 = 4 * 62: a remainder of the other bytes would favour the first letters.
        let letters = bytes.iter().filter(|byte| **byte < 248).map(|byte| char::from(ALPHABET[usize::from(byte % 62)]));
        key.extend(letters.take(GENERATED_PREFIX.len() + GENERATED_LENGTH - key.len()));
    }
    key
}

/// A time as the configuration has it.
fn read_time(text: &str) -> Result<String, Failure> {
    let usage = |why: &str| Failure::Usage(format!("--expires {text}: {why}"));
    if let Some(time) = UnixTime::parse_rfc3339(text) {
        let passed =
            SystemTime::UNIX_EPOCH.checked_add(time.since_epoch()).is_none_or(|time| time <= SystemTime::now());
        return if passed { Err(usage("is past")) } else { Ok(text.to_owned()) };
    }
    let form = "write a time such as 2027-01-01T00:00:00Z, or a duration such as 90d";
    let duration = humantime::parse_duration(text).map_err(|_| usage(form))?;
    let time = SystemTime::now().checked_add(duration);
    // RFC 3339 has years of four digits.
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(YEAR_10000);
    let time = time.filter(|time| *time < end).ok_or_else(|| usage("is too far"))?;
    Ok(humantime::format_rfc3339_seconds(time).to_string())
}

/// 10000-01-01T00:00:00Z
const YEAR_10000: u64 = 253_402_300_800;
/// How keys that were made here begin.
pub const GENERATED_PREFIX: &str = "gp_";
/// 128 bits in base64, which nobody guesses.
const SHORTEST_STRONG: usize = 22;
/// 62^43 > 2^256.
const GENERATED_LENGTH: usize = 43;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
