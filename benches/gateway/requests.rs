//! The requests that are sent: files of lines `path header value`, made once and kept.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    thread,
};

use serde_json::{Map, Value, json};
use wasm_test_harness::mint::{PrivateKey, TokenSpec, mint_with};

use crate::bootstrap::{AUDIENCE, ISSUER};

/// What is sent, again and again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requests {
    /// Tokens signed by a key of `tests/keys`, each for another user.
    Tokens(Tokens),
    /// One token, on so many paths of so many routes.
    Paths {
        /// How many routes there are.
        routes: usize,
    },
    /// API keys, of so many that are configured.
    ApiKeys {
        /// How many there are.
        configured: usize,
    },
}

/// Tokens of one kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tokens {
    /// The name of the key that signs.
    pub key: &'static str,
    /// How many different ones.
    pub count: usize,
    /// How many more claims, besides the usual ones.
    pub claims: usize,
    /// The least size of the payload, in bytes.
    pub payload: usize,
}

impl Tokens {
    /// One token of a key.
    pub fn one(key: &'static str) -> Self {
        Self { key, count: 1, claims: 0, payload: 0 }
    }

    /// So many tokens of a key.
    pub fn many(key: &'static str, count: usize) -> Self {
        Self { count, ..Self::one(key) }
    }
}

impl Requests {
    /// The file with these requests; made where it is not there yet.
    pub fn file(&self, folder: &Path) -> io::Result<PathBuf> {
        let name = match self {
            Self::Tokens(Tokens { key, count, claims, payload }) => format!("tokens-{key}-{count}-{claims}-{payload}"),
            Self::Paths { routes } => format!("paths-{routes}"),
            Self::ApiKeys { configured } => format!("api-keys-{configured}"),
        };
        let file = folder.join(format!("{name}-{FORMAT}.txt"));
        if !file.is_file() {
            let lines = self.lines()?;
            let unfinished = file.with_extension("new");
            fs::write(&unfinished, lines.join("\n") + "\n")?;
            fs::rename(unfinished, &file)?;
        }
        Ok(file)
    }

    fn lines(&self) -> io::Result<Vec<String>> {
        match self {
            Self::Tokens(tokens) => {
                let tokens = mint(tokens)?;
                Ok(tokens.iter().map(|token| format!("/orders/7 authorization Bearer {token}")).collect())
            }
            Self::Paths { routes } => {
                let token = mint(&Tokens::one("rs1"))?.concat();
                let paths = (0..SENT_PATHS.min(*routes)).map(|at| route(at * routes / SENT_PATHS.min(*routes)));
                Ok(paths.map(|path| format!("{} authorization Bearer {token}", path.replace("{id}", "7"))).collect())
            }
            Self::ApiKeys { configured } => {
                let keys = (0..SENT_KEYS.min(*configured)).map(|at| at * configured / SENT_KEYS.min(*configured));
                Ok(keys.map(|at| format!("/orders/7 x-api-key {}", api_key(at))).collect())
            }
        }
    }
}

/// The template of a route by its number.
pub fn route(number: usize) -> String {
    format!("/service-{number}/items/{{id}}")
}

/// An API key by its number: as long as one that `gatepost hash-key` makes.
pub fn api_key(number: usize) -> String {
    format!("gp_{number:043}")
}

/// The claims of a user, by his number.
pub fn claims(user: usize) -> Map<String, Value> {
    let claims = json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": format!("user-{user:06}"),
        "iat": 1_750_000_000,
        "exp": 4_000_000_000_u64,
        "email": format!("user-{user:06}@example.com"),
        "tenant": "acme",
    });
    claims.as_object().cloned().unwrap_or_default()
}

/// The name of a further claim, by its number.
pub fn claim(number: usize) -> String {
    format!("claim_{number}")
}

fn mint(tokens: &Tokens) -> io::Result<Vec<String>> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(tokens.count);
    let key = PrivateKey::named(tokens.key).map_err(io::Error::other)?;
    let mint_some = |first: usize| -> io::Result<BTreeMap<usize, String>> {
        let numbers = (first..tokens.count).step_by(threads);
        numbers.map(|number| Ok((number, mint_one(&key, tokens, number)?))).collect()
    };
    let parts: io::Result<Vec<BTreeMap<usize, String>>> = thread::scope(|scope| {
        let mint_some = &mint_some;
        let minting: Vec<_> = (0..threads).map(|first| scope.spawn(move || mint_some(first))).collect();
        minting
            .into_iter()
            .map(|part| part.join().map_err(|_| io::Error::other("a token could not be made"))?)
            .collect()
    });
    let in_order: BTreeMap<usize, String> = parts?.into_iter().flatten().collect();
    Ok(in_order.into_values().collect())
}

fn mint_one(key: &PrivateKey, tokens: &Tokens, number: usize) -> io::Result<String> {
    let mut claims = claims(number);
    for further in 0..tokens.claims {
        claims.insert(claim(further), json!(format!("value {further} of user {number}")));
    }
    // As identity providers do: a large token has many groups or roles.
    let mut size = Value::Object(claims.clone()).to_string().len();
    let mut groups = Vec::new();
    while size < tokens.payload {
        groups.push(format!("/departments/engineering/teams/team-{}", groups.len()));
        size += groups.last().map_or(0, |group| group.len() + 3);
    }
    if !groups.is_empty() {
        claims.insert("groups".to_owned(), json!(groups));
    }
    let spec = TokenSpec { key: tokens.key.to_owned(), claims: Value::Object(claims), ..TokenSpec::default() };
    mint_with(key, &spec, 0).map_err(io::Error::other)
}

/// Raise it when what is in the files changes.
const FORMAT: u32 = 1;
const SENT_PATHS: usize = 1_000;
const SENT_KEYS: usize = 10_000;
