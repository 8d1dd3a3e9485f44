//! `gatepost token`: tokens and keys for tests.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use wasm_test_harness::mint::{self, FIXTURE_NAMES, MintError, PrivateKey, SignatureAlgorithm, TokenSpec};

use crate::failure::{Failure, print};

/// Mints a token, or makes a key pair, for tests
///
/// For tests only: a real identity provider keeps its keys to itself.
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  $ gatepost token --key es1 --iss https://demo-issuer.example --aud demo --sub user-1

  A key of your own, its public half into the configuration, a token signed with it:
  $ gatepost token keys --out keys --alg ES256 > jwks.json
  $ gatepost token --key keys/es256.pem --sub user-1 --claim 'roles=[\"admin\"]' --exp 1h

The first is a token that the demo gateway accepts.

Exit code: 0 minted, 2 wrong usage."
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    token: Token,
}

#[derive(clap::Subcommand)]
enum Command {
    Keys(Keys),
}

#[derive(clap::Args)]
struct Token {
    /// A PKCS#8 private key file, or the name of a test key of the repository (es1, rs1, ed1, hs1, ...).
    #[arg(long, value_name = "FILE", conflicts_with = "secret")]
    key: Option<String>,

    /// A shared secret, or @FILE that holds one (a last line end is not part of it).
    #[arg(long, value_name = "TEXT")]
    secret: Option<String>,

    /// The algorithm [default: by the key: RS256, ES256, ES384, ES512, EdDSA, HS256 to HS512].
    #[arg(long)]
    alg: Option<String>,

    /// The subject.
    #[arg(long)]
    sub: Option<String>,

    /// The issuer.
    #[arg(long)]
    iss: Option<String>,

    /// The audience; repeated, it becomes a list.
    #[arg(long)]
    aud: Vec<String>,

    /// How long the token is good, or `none`.
    #[arg(long, default_value = "5m", value_name = "DURATION")]
    exp: String,

    /// Any claim, its value in JSON; `@now-1m` is a time. May be repeated, and wins over the options above.
    #[arg(long = "claim", value_name = "NAME=JSON", value_parser = parse_member)]
    claims: Vec<(String, Value)>,

    /// The key id [default: the key file's name without its ending; an empty one leaves `kid` out].
    #[arg(long)]
    kid: Option<String>,

    /// Any header member, its value in JSON; `null` removes one. May be repeated.
    #[arg(long = "header", value_name = "NAME=JSON", value_parser = parse_member)]
    headers: Vec<(String, Value)>,
}

/// Makes key pairs, writes the private halves into a folder, and prints the public JWK set.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  $ gatepost token keys --out test-keys --alg ES256 --alg RS256
  {\"keys\": [{\"kty\": \"EC\", \"kid\": \"es256\", ...}, {\"kty\": \"RSA\", \"kid\": \"rs256\", ...}]}

The private keys are in test-keys/es256.pem and test-keys/rs256.pem, readable by you alone. They are for tests.

Exit code: 0 made, 2 wrong usage, or a file that exists already.")]
struct Keys {
    /// The folder for the private keys; made if it is missing. No file in it is overwritten.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// An algorithm to make a key for; may be repeated.
    #[arg(long = "alg", value_name = "ALG", default_value = "ES256")]
    algorithms: Vec<String>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Some(Command::Keys(keys)) => make_keys(keys),
        None => mint_token(&arguments.token),
    }
}

fn mint_token(arguments: &Token) -> Result<(), Failure> {
    let (key, name) = read_key(arguments)?;
    let mut header = Map::new();
    if let Some(algorithm) = &arguments.alg {
        // Said here, because the mint would take an unknown name for a lie that somebody wants to tell.
        algorithm.parse::<SignatureAlgorithm>().map_err(usage)?;
        header.insert("alg".to_owned(), json!(algorithm));
    }
    header.extend(arguments.headers.iter().cloned());

    let mut claims = Map::new();
    let given = [("sub", &arguments.sub), ("iss", &arguments.iss)];
    for (claim, value) in given {
        if let Some(value) = value {
            claims.insert(claim.to_owned(), json!(value));
        }
    }
    match arguments.aud.as_slice() {
        [] => None,
        [only] => claims.insert("aud".to_owned(), json!(only)),
        several => claims.insert("aud".to_owned(), json!(several)),
    };
    claims.insert("iat".to_owned(), json!("@now"));
    if arguments.exp != "none" {
        humantime::parse_duration(&arguments.exp)
            .map_err(|_| Failure::Usage(format!("--exp {}: write a duration such as 5m, or none", arguments.exp)))?;
        claims.insert("exp".to_owned(), json!(format!("@now+{}", arguments.exp)));
    }
    claims.extend(arguments.claims.iter().cloned());

    let spec = TokenSpec {
        key: arguments.kid.clone().unwrap_or(name),
        header: Value::Object(header),
        claims: Value::Object(claims),
        ..TokenSpec::default()
    };
    let token = mint::mint_with(&key, &spec, now()).map_err(usage)?;
    print(&format!("{token}\n"));
    Ok(())
}

/// The key, and the name that is its default `kid`.
fn read_key(arguments: &Token) -> Result<(PrivateKey, String), Failure> {
    match (&arguments.key, &arguments.secret) {
        (Some(name), _) if FIXTURE_NAMES.contains(&name.as_str()) => {
            Ok((PrivateKey::named(name).map_err(usage)?, name.clone()))
        }
        (Some(file), _) => {
            let path = Path::new(file);
            let pem = fs::read_to_string(path).map_err(|error| {
                Failure::Usage(format!("--key {file}: {error}; test keys are {}", FIXTURE_NAMES.join(", ")))
            })?;
            let key = PrivateKey::from_pem(&pem).map_err(|error| Failure::Usage(format!("--key {file}: {error}")))?;
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            Ok((key, stem.unwrap_or_default()))
        }
        (None, Some(secret)) => {
            let bytes = match secret.strip_prefix('@') {
                Some(file) => {
                    let text = fs::read_to_string(file)
                        .map_err(|error| Failure::Usage(format!("--secret @{file}: {error}")))?;
                    text.strip_suffix('\n').unwrap_or(&text).as_bytes().to_vec()
                }
                None => secret.as_bytes().to_vec(),
            };
            Ok((PrivateKey::Secret(bytes), String::new()))
        }
        (None, None) => {
            Err(Failure::Usage("give --key FILE (or a test key's name: --key es1), or --secret TEXT".to_owned()))
        }
    }
}

fn make_keys(arguments: &Keys) -> Result<(), Failure> {
    let algorithms = arguments
        .algorithms
        .iter()
        .map(|name| name.parse::<SignatureAlgorithm>().map_err(usage))
        .collect::<Result<Vec<_>, _>>()?;
    fs::create_dir_all(&arguments.out)
        .map_err(|error| Failure::Usage(format!("--out {}: {error}", arguments.out.display())))?;
    let mut public = Vec::new();
    for algorithm in algorithms {
        let key = PrivateKey::generate(algorithm).map_err(usage)?;
        let kid = algorithm.name().to_ascii_lowercase();
        let is_secret = matches!(key, PrivateKey::Secret(_));
        let path = arguments.out.join(format!("{kid}.{}", if is_secret { "txt" } else { "pem" }));
        write_private(&path, &key.private_text().map_err(usage)?)?;
        eprintln!("{}: the private half, for tests only", path.display());
        // A shared secret has no public half to print.
        if !is_secret {
            public.push(key.jwk(Some(&kid), Some(algorithm.name())));
        }
    }
    print(&format!("{:#}\n", json!({ "keys": public })));
    Ok(())
}

fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}

fn parse_member(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=JSON")?;
    if value.starts_with("@now") {
        return Ok((name.to_owned(), json!(value)));
    }
    let value = serde_json::from_str(value)
        .map_err(|_| format!("`{name}` needs JSON; a string has quotes: '{name}=\"text\"'"))?;
    Ok((name.to_owned(), value))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

fn usage(error: MintError) -> Failure {
    Failure::Usage(error.to_string())
}
