//! DPoP proofs (RFC 9449 §4): signed statements, one for each request, that the sender has the key which a token is bound to.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{
    TokenError,
    claims::Times,
    jwk::{self, Jwk},
    jws::Jws,
};
use crate::{
    crypto::host::Verifier,
    json::Json,
    label::labelled,
    request::split_authority,
    route::path::{NormalPath, PathPolicy},
    time::UnixTime,
};

/// What is left of a proof that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// `jti`: no other proof of this key bears it.
    pub id: String,
    /// The last moment at which the proof is good.
    pub until: UnixTime,
}

/// What a proof has to prove.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// The thumbprint of the key that the token is bound to.
    pub key: &'a [u8; 32],
    /// The access token.
    pub token: &'a str,
    /// The request's method.
    pub method: &'a str,
    /// Where the client sent it; none where that is not known, so that no proof is good.
    pub origin: Option<&'a Origin>,
    /// Its path.
    pub path: &'a NormalPath,
    /// How the path was normalised.
    pub path_policy: PathPolicy,
    /// The time.
    pub now: UnixTime,
}

/// Scheme, host and port of a URL (RFC 6454 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    is_https: bool,
    host: String,
    port: u16,
}

labelled! {
    /// Why a proof was refused, in the order in which that is noticed.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum ProofError {
        /// There is none.
        Missing = "proof_missing",
            "The caller sends a `DPoP` header with each request.";
        /// There are several.
        Several = "proof_repeated",
            "The caller sends one `DPoP` header; a proxy in between must not repeat it.";
        /// No JWS, or a claim is not of its type.
        Malformed = "proof_malformed",
            "The proof must be a JWS in compact form, with `iat` a number and `jti`, `htm` and `htu` strings.";
        /// `typ` is not `dpop+jwt`.
        WrongType = "proof_wrong_type",
            "The caller's library sets `typ` to `dpop+jwt`.";
        /// The algorithm is symmetric, unknown, or not one for the key.
        AlgorithmNotAllowed = "proof_algorithm_not_allowed",
            "The caller signs with an algorithm of the challenge's `algs`, and with a key of its type.";
        /// No public key in the header, or one that is not to be trusted, or a private one.
        BadKey = "proof_bad_key",
            "The caller puts the public key, and only that, into `jwk`; EC and OKP keys, or RSA of 2048 bits and \
             more.";
        /// The token is bound to another key.
        WrongKey = "proof_wrong_key",
            "The caller signs with the key with which it asked for the token.";
        /// The key does not verify the signature.
        BadSignature = "proof_bad_signature",
            "The caller signs with the private key of the `jwk` that it sends.";
        /// A claim is missing.
        MissingClaim = "proof_missing_claim",
            "The proof needs `jti`, `htm`, `htu`, `iat` and, with a token, `ath`.";
        /// `htm` is another method.
        WrongMethod = "proof_wrong_method",
            "`htm` is the request's method, in upper case.";
        /// `htu` is another URL.
        WrongTarget = "proof_wrong_target",
            "`htu` is the URL that the caller calls, without query and fragment. Where the gateway is reached by \
             another origin than it sees, give `dpop_origin`.";
        /// `iat` is too far away, `exp` is past or `nbf` is to come.
        WrongTime = "proof_wrong_time",
            "Compare the clocks of the caller and of the gateway: a proof is good for 60 seconds either way.";
        /// `ath` is of another token.
        WrongToken = "proof_wrong_token",
            "`ath` is the base64url of the SHA-256 of the token that comes with it.";
        /// It was used before.
        Replayed = "proof_replayed",
            "The caller makes a new proof for each request, retries too.";
    }
}

impl Proof {
    /// Verifies a proof (RFC 9449 §4.3).
    ///
    /// # Errors
    ///
    /// The first [`ProofError`] met. Nothing of a claim is looked at before the signature is known to be that of the right
    /// key. Whether the proof was used before is not known here.
    pub fn verify(text: &str, statement: &Statement<'_>, verifier: &mut Verifier<'_>) -> Result<Self, ProofError> {
        let (jws, header) = Jws::parse_with_header(text).map_err(|_| ProofError::Malformed)?;
        let is_proof = |media_type: &str| {
            media_type.eq_ignore_ascii_case("dpop+jwt") || media_type.eq_ignore_ascii_case("application/dpop+jwt")
        };
        if !jws.header.media_type.as_deref().is_some_and(is_proof) {
            return Err(ProofError::WrongType);
        }
        let algorithm = jws.header.algorithm.filter(|algorithm| !algorithm.is_symmetric());
        let algorithm = algorithm.ok_or(ProofError::AlgorithmNotAllowed)?;
        let members = header.get("jwk").filter(|jwk| !is_private(jwk)).ok_or(ProofError::BadKey)?;
        let thumbprint = jwk::thumbprint(members).ok_or(ProofError::BadKey)?;
        // Before the work that somebody else's key would make.
        if !bool::from(thumbprint.ct_eq(statement.key)) {
            return Err(ProofError::WrongKey);
        }
        let key = Jwk::parse(members).map_err(|_| ProofError::BadKey)?;
        if !key.algorithms.contains(algorithm) {
            return Err(ProofError::AlgorithmNotAllowed);
        }
        if !verifier.verify(&key.key, algorithm, jws.signing_input, &jws.signature) {
            return Err(ProofError::BadSignature);
        }
        Self::check(&jws.claims().map_err(|_| ProofError::Malformed)?, statement)
    }

    fn check(claims: &Json, statement: &Statement<'_>) -> Result<Self, ProofError> {
        let text = |name| match claims.get(name) {
            None => Err(ProofError::MissingClaim),
            Some(value) => value.as_str().ok_or(ProofError::Malformed),
        };
        let (id, method, target, hash) = (text("jti")?, text("htm")?, text("htu")?, text("ath")?);
        let times = Times::parse(claims).map_err(|_: TokenError| ProofError::Malformed)?;
        let issued = times.issued.ok_or(ProofError::MissingClaim)?;
        if id.is_empty() || id.len() > LONGEST_ID {
            return Err(ProofError::Malformed);
        }
        // Methods are compared with case (RFC 9110 §9.1).
        if method != statement.method {
            return Err(ProofError::WrongMethod);
        }
        if !statement.is_of(target) {
            return Err(ProofError::WrongTarget);
        }
        let until = end(issued).filter(|until| *until >= statement.now).ok_or(ProofError::WrongTime)?;
        times.check(statement.now, WINDOW).map_err(|_| ProofError::WrongTime)?;
        if hash != BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(statement.token)) {
            return Err(ProofError::WrongToken);
        }
        Ok(Self { id: id.to_owned(), until })
    }
}

impl Statement<'_> {
    /// Whether a URL is the request's, whatever its query and fragment (RFC 9449 §4.3; RFC 3986 §6.2.2, §6.2.3).
    fn is_of(&self, url: &str) -> bool {
        let url = url.split(['?', '#']).next().unwrap_or_default();
        let Some((origin, path)) = Origin::split(url) else {
            return false;
        };
        let path = if path.is_empty() { "/" } else { path };
        let Ok(path) = NormalPath::new(path.as_bytes(), self.path_policy) else {
            return false;
        };
        self.origin == Some(&origin) && path.segments().eq(self.path.segments())
    }
}

impl Origin {
    /// Reads an origin and nothing else: `https://api.example.com:8443`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::split(text).filter(|(_, path)| path.is_empty()).map(|(origin, _)| origin)
    }

    /// The origin of a scheme and an authority, default ports filled in. None for other schemes than HTTP's.
    #[must_use]
    pub fn new(scheme: &str, authority: &str) -> Option<Self> {
        let is_https = scheme.eq_ignore_ascii_case("https");
        if !is_https && !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        let (host, port) = split_authority(authority)?;
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        Some(Self { is_https, host, port: port.unwrap_or(if is_https { 443 } else { 80 }) })
    }

    /// The origin of a URL, and what follows it.
    fn split(url: &str) -> Option<(Self, &str)> {
        let (scheme, rest) = url.split_once("://")?;
        let (authority, path) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len()))?;
        Some((Self::new(scheme, authority)?, path))
    }
}

/// Whether a key has a private or secret member (RFC 7518 §6.2.2, §6.3.2, §6.4; RFC 8037 §2).
fn is_private(jwk: &Json) -> bool {
    ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|member| jwk.get(member).is_some())
}

/// The last moment at which a proof is good that was issued at a time, to the millisecond.
fn end(issued: f64) -> Option<UnixTime> {
    let millis = ((issued + WINDOW.as_secs_f64()) * 1000.0).ceil();
    let millis = (0.0..MOST_MILLIS).contains(&millis).then_some(millis)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole, and within the bounds")]
    let millis = millis as u64;
    Some(UnixTime::from_secs(0).saturating_add(Duration::from_millis(millis)))
}

/// By how much `iat` may differ from now, either way.
const WINDOW: Duration = Duration::from_secs(60);
/// The longest `jti`, in bytes.
const LONGEST_ID: usize = 256;
/// Beyond the year 9999.
const MOST_MILLIS: f64 = 1e15;

#[cfg(test)]
mod tests;
