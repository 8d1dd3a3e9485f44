//! Identity providers: the calls that they are asked with, and what is known of their keys.
//!
//! Sans-IO, as the engine is: a [`Call`] leaves in [`Effects`], its answer comes back under its [`CallId`], and what the
//! workers of a proxy share is read and written through a [`Store`](crate::host::Store) that is handed in.
//!
//! | what | where |
//! |---|---|
//! | one fetch of a document for all workers | [`source`] |
//! | key sets | [`keys`] |
//! | lists of revoked tokens | [`revocation`] |
//! | one look-up of a token for all its requests | [`lookup`] |
//! | when to fetch again | [`schedule`] |

pub mod document;
pub mod endpoint;
pub mod keys;
pub mod lookup;
pub mod revocation;
pub mod schedule;
mod slots;
pub mod source;
mod status;

use std::{fmt, time::Duration};

use crate::jose::jwk::JwkErrorKind;

/// The name of a call, unique within an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// An HTTP request that the host is to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// Under which its answer comes back.
    pub id: CallId,
    /// The host's name for the provider.
    pub cluster: String,
    /// Headers, pseudo-headers included.
    pub headers: Vec<(String, String)>,
    /// The body; empty for a GET.
    pub body: Vec<u8>,
    /// How long the answer may take.
    pub timeout: Duration,
    /// How long its body may be, in bytes.
    pub most_bytes: usize,
}

/// The answer to a call.
#[derive(Clone, PartialEq, Eq)]
pub struct CallAnswer {
    /// Headers, `:status` included, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFailure {
    /// The host did not take the call: it does not know the cluster.
    NotSent,
    /// The host gave the call up.
    NoAnswer,
    /// The answer has more than so many bytes.
    TooLarge(usize),
}

/// What is to be done and to be told after a step.
#[derive(Debug, Default)]
pub struct Effects {
    /// Calls to send.
    pub calls: Vec<Call>,
    /// What happened, for logs and metrics.
    pub events: Vec<Event>,
}

/// What happened to a provider's keys or to a look-up. Its `Display` is a line for the log; no variant holds a token, a
/// secret or a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A key set was fetched.
    KeysFetched {
        /// The configuration path of the key set.
        place: String,
        /// How many of its keys are used.
        keys: usize,
        /// How many are not, where it is another set than before.
        refused: usize,
    },
    /// A fetched set holds a symmetric key: whoever can read the set can make tokens.
    SymmetricKey {
        /// The configuration path of the key set.
        place: String,
    },
    /// A key of a fetched set is not used.
    KeyRefused {
        /// The configuration path of the key set.
        place: String,
        /// Where in the answer: `keys[1].n`.
        member: String,
        /// Why.
        kind: JwkErrorKind,
    },
    /// A key set could not be fetched.
    FetchFailed {
        /// The configuration path of the key set.
        place: String,
        /// Why.
        failure: ProviderFailure,
    },
    /// A revocation list was fetched.
    RevocationsFetched {
        /// The configuration path of the list.
        place: String,
        /// How many values it revokes.
        entries: usize,
        /// Whether it is another list than before.
        changed: bool,
    },
    /// A revocation list could not be fetched.
    RevocationsFailed {
        /// The configuration path of the list.
        place: String,
        /// Why.
        failure: ProviderFailure,
    },
    /// Tokens were accepted without a list, as the configuration asks for: told now and then.
    RevocationsUnchecked {
        /// The configuration path of the list.
        place: String,
        /// How often that was since it was last told.
        tokens: u64,
    },
    /// A token was looked up.
    LookedUp {
        /// The configuration path of the authenticator.
        place: String,
        /// Whether it is good.
        active: bool,
        /// How long the provider took to answer.
        took: Duration,
    },
    /// A token could not be looked up.
    LookupFailed {
        /// The configuration path of the authenticator.
        place: String,
        /// Why.
        failure: ProviderFailure,
    },
}

/// Why a provider's answer is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderFailure {
    /// There is no answer.
    Call(CallFailure),
    /// The answer's status is not 200.
    Status(u16),
    /// The answer is not a JSON object without duplicate members.
    NotAnObject,
    /// The answer has no `keys`.
    NotAKeySet,
    /// None of its keys can be used.
    NoUsableKey {
        /// Where the first one stands, `keys[0].n`, and why it cannot.
        first: Option<(String, JwkErrorKind)>,
    },
    /// The answer has no list `revoked`, or several.
    NotARevocationList,
    /// An entry of the list cannot be read, and no list is taken in part.
    UnreadableRevocation {
        /// Which, counted from 0.
        index: usize,
    },
    /// The discovery document is another issuer's (OpenID Connect Discovery 1.0 §4.3).
    WrongIssuer,
    /// The discovery document has no `jwks_uri`, or one that is no URL.
    NoJwksUri,
    /// `jwks_uri` is on another host than the discovery document, and there is no `jwks_cluster`.
    OtherHost,
}

/// The numbers of an engine's calls.
#[derive(Debug, Default)]
pub struct CallIds(u64);

/// What a host may take beyond the time-out of a call to say that it is over.
pub const GRACE: Duration = Duration::from_secs(1);
/// The longest answer that is read where nothing else is said, in bytes.
pub const MOST_ANSWER_BYTES: usize = 1024 * 1024;
/// How deep it may nest.
pub(crate) const MAX_ANSWER_DEPTH: usize = 32;

impl CallIds {
    /// The next one.
    pub fn make(&mut self) -> CallId {
        self.0 = self.0.wrapping_add(1);
        CallId(self.0)
    }
}

impl CallAnswer {
    /// The body of an answer with status 200.
    ///
    /// # Errors
    ///
    /// [`ProviderFailure::Status`] for another one, [`CallFailure::TooLarge`] for a body of more bytes than this.
    pub fn body(&self, most_bytes: usize) -> Result<&[u8], ProviderFailure> {
        let status = self.header(":status").and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
        match status.unwrap_or(0) {
            200 if self.body.len() > most_bytes => Err(CallFailure::TooLarge(most_bytes).into()),
            200 => Ok(&self.body),
            other => Err(ProviderFailure::Status(other)),
        }
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_slice())
    }
}

impl Event {
    /// Whether an operator should look at it.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        !matches!(self, Self::KeysFetched { .. } | Self::RevocationsFetched { .. } | Self::LookedUp { .. })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeysFetched { place, keys, refused: 0 } => write!(f, "{place}: fetched, {keys} keys"),
            Self::KeysFetched { place, keys, refused } => {
                write!(f, "{place}: fetched, {keys} keys; {refused} are not used")
            }
            Self::SymmetricKey { place } => {
                write!(f, "{place}: it holds a symmetric key: whoever can read the set can make tokens")
            }
            Self::KeyRefused { place, member, kind } => write!(f, "{place}: a key is not used: {member}: {kind}"),
            Self::FetchFailed { place, failure } => write!(f, "{place}: the keys could not be fetched: {failure}"),
            Self::RevocationsFetched { place, entries, .. } => write!(f, "{place}: fetched, {entries} entries"),
            Self::RevocationsFailed { place, failure } => {
                write!(f, "{place}: the list could not be fetched: {failure}")
            }
            Self::RevocationsUnchecked { place, tokens } => {
                write!(f, "{place}: there is no list that may be used; {tokens} tokens were accepted without")
            }
            Self::LookedUp { place, active, .. } => {
                write!(f, "{place}: a token was looked up: {}", if *active { "good" } else { "not" })
            }
            Self::LookupFailed { place, failure } => write!(f, "{place}: a token could not be looked up: {failure}"),
        }
    }
}

impl fmt::Display for ProviderFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(CallFailure::NotSent) => f.write_str(
                "the host did not send the request: it does not know the cluster, or that has no healthy host or is at \
                 its limits",
            ),
            Self::Call(CallFailure::NoAnswer) => f.write_str("no answer, or one that is too large for the host"),
            Self::Call(CallFailure::TooLarge(most)) => write!(f, "the answer is longer than {most} bytes"),
            Self::Status(status) => write!(f, "the answer's status is {status}"),
            Self::NotAnObject => f.write_str("the answer is not a JSON object without duplicate members"),
            Self::NotAKeySet => f.write_str("the answer is not a JWK set: an object with `keys`"),
            Self::NoUsableKey { first: None } => f.write_str("the answer holds no key"),
            Self::NoUsableKey { first: Some((member, kind)) } => {
                write!(f, "the answer holds no key that can be used; the first: {member}: {kind}")
            }
            Self::NotARevocationList => {
                f.write_str("the answer is not a revocation list: an object with a list `revoked`")
            }
            Self::UnreadableRevocation { index } => {
                write!(
                    f,
                    "revoked[{index}] cannot be read: it needs the strings `iss` and `value`; `before` is a Unix time"
                )
            }
            Self::WrongIssuer => f.write_str("the discovery document's `issuer` is not the configured one"),
            Self::NoJwksUri => f.write_str("the discovery document has no `jwks_uri` that is an http or https URL"),
            Self::OtherHost => f.write_str(
                "`jwks_uri` is on another host or port, or has another scheme; `jwks_cluster` names the cluster for it",
            ),
        }
    }
}

impl From<CallFailure> for ProviderFailure {
    fn from(failure: CallFailure) -> Self {
        Self::Call(failure)
    }
}

// What is sent holds client secrets and tokens, and what comes back may hold claims.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("id", &self.id).field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

impl fmt::Debug for CallAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallAnswer")
    }
}
