//! Authenticators, one file per method, and the policies that combine them.

pub mod api_key;
pub mod confirmation;
pub mod dpop;
pub mod hmac;
pub mod introspection;
pub mod jwt;
pub mod knowledge;
pub mod mtls;
pub mod peer;
pub mod policy;
pub mod revocation;

use std::{cell::OnceCell, fmt, rc::Rc, time::Duration};

use crate::{
    credential::{self, OnMultiple, Source, scheme},
    deny::Reason,
    host::Host,
    jose::{
        TokenError,
        claims::{ClaimPath, Times},
        dpop::ProofError,
        jwk::KeyFingerprint,
    },
    json::Json,
    limit::{caller, rate::Rate},
    mapping::Memo,
    provider::{keys::KeySourceId, lookup::TokenDigest, revocation::RevocationSourceId},
    request::Request,
    time::UnixTime,
};
use confirmation::Confirmation;

/// An authenticator's place among a gateway's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AuthenticatorId(pub usize);

/// An authenticator: where it finds credentials and how it verifies them.
#[derive(Debug)]
pub struct Authenticator {
    /// Its name in the configuration.
    pub name: Rc<str>,
    /// Where it looks for credentials.
    pub sources: Vec<Source>,
    /// What it does about several that differ.
    pub on_multiple: OnMultiple,
    /// Whether a credential that it verified stays in the forwarded request.
    pub forward_credential: bool,
    /// How it verifies.
    pub method: Method,
}

/// How an authenticator verifies.
#[derive(Debug)]
pub enum Method {
    /// A JWT (RFC 7519).
    Jwt(Box<jwt::JwtMethod>),
    /// A token that its issuer is asked about (RFC 7662).
    Introspection(Box<introspection::IntrospectionMethod>),
    /// A key that the configuration knows by its hash.
    ApiKey(api_key::ApiKeyMethod),
    /// A client certificate, which the host has validated.
    Mtls(Box<mtls::MtlsMethod>),
    /// A signature over the request's body.
    Hmac(hmac::HmacMethod),
}

/// A token or certificate that was verified, with what has to be checked again on each use.
#[derive(Debug)]
pub struct VerifiedToken {
    /// Who it speaks for.
    pub identity: Identity,
    /// When it is good.
    pub times: Times,
    /// The key that verified it; none where there was no key.
    pub key: Option<KeyFingerprint>,
    /// What whoever presents it has to prove besides.
    pub confirmation: Option<Confirmation>,
    /// What the route that it was last used on sets for it.
    pub mapped: Memo,
    /// Whom its requests count for.
    caller: OnceCell<Option<Rc<str>>>,
}

/// Who was verified, and what is known of them. Only an authenticator makes one: outside the crate there is no way to.
#[non_exhaustive]
pub struct Identity {
    /// Who verified it.
    pub authenticator: AuthenticatorId,
    /// That one's name.
    pub authenticator_name: Rc<str>,
    /// The method, as `$identity.method` has it.
    pub method: &'static str,
    /// `iss`
    pub issuer: Option<String>,
    /// `sub`, or the id of an API key or of the key that signed.
    pub subject: Option<String>,
    /// The owner of that key.
    pub owner: Option<String>,
    /// How many requests pass with an API key.
    pub limit: Option<Rate>,
    /// Roles.
    pub roles: Vec<String>,
    /// Scopes.
    pub scopes: Vec<String>,
    /// All claims; null where the method has none, so that whatever refers to one finds it missing.
    pub claims: Json,
}

/// Where claims say what a caller may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    /// Where roles stand.
    pub roles_claim: ClaimPath,
    /// Where scopes stand; the first that is there counts.
    pub scopes_claims: Vec<ClaimPath>,
}

/// What has to come before a request can be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// The keys of a key set.
    Keys(KeySourceId),
    /// Whether a token is good.
    Lookup(AuthenticatorId, TokenDigest),
    /// Which tokens were taken back.
    Revocations(RevocationSourceId),
    /// The end of the request's body.
    Body,
}

/// Why a credential is not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unverified {
    /// It is refused.
    Refused(Refusal),
    /// That is not known yet.
    Waits,
}

/// Why a request is refused, and when it is worth another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// `Retry-After`, where it is for a provider that fails.
    pub retry_after: Option<Duration>,
}

impl Authenticator {
    /// The sources that carry its credential in this request.
    #[must_use]
    pub fn carriers(&self, request: &Request<'_>) -> Vec<&Source> {
        credential::carriers(&self.sources, self.on_multiple, request)
    }

    /// Where the proof that goes with its credential stands: it is a credential as well.
    #[must_use]
    pub fn proof_source(&self) -> Option<Source> {
        match &self.method {
            Method::Jwt(method) => method.dpop.mode.proof_source(),
            Method::Introspection(_) | Method::ApiKey(_) | Method::Mtls(_) | Method::Hmac(_) => None,
        }
    }
}

impl Method {
    /// The authentication schemes with which a caller can answer (RFC 9110 §11.1).
    #[must_use]
    pub fn schemes(&self) -> &'static [&'static str] {
        match self {
            Self::Jwt(method) => method.dpop.mode.schemes(),
            Self::Introspection(_) => &["Bearer"],
            Self::ApiKey(_) => &[scheme::API_KEY],
            // No scheme asks for a certificate: that is between the connection's ends (RFC 8446 §4.3.2).
            Self::Mtls(_) => &[],
            Self::Hmac(_) => &[scheme::HMAC_SHA256],
        }
    }
}

impl VerifiedToken {
    /// What was verified just now.
    #[must_use]
    pub fn new(
        identity: Identity,
        times: Times,
        key: Option<KeyFingerprint>,
        confirmation: Option<Confirmation>,
    ) -> Self {
        Self { identity, times, key, confirmation, mapped: Memo::default(), caller: OnceCell::new() }
    }

    /// Whom its requests count for, as [`caller::of_identity`] writes it.
    #[must_use]
    pub fn caller(&self) -> Option<&Rc<str>> {
        self.caller.get_or_init(|| caller::of_identity(&self.identity).map(Into::into)).as_ref()
    }

    /// Checks what depends on the moment and the connection.
    ///
    /// # Errors
    ///
    /// Those of [`Times::check`] and [`Confirmation::check`].
    pub fn check(&self, now: UnixTime, clock_skew: Duration, host: &mut dyn Host) -> Result<(), TokenError> {
        self.times.check(now, clock_skew)?;
        self.confirmation.as_ref().map_or(Ok(()), |confirmation| confirmation.check(host))
    }
}

impl Grants {
    /// Who claims speak for.
    fn identity(
        &self,
        id: AuthenticatorId,
        authenticator: &Authenticator,
        method: &'static str,
        claims: Json,
    ) -> Identity {
        let text = |name: &str| claims.get(name).and_then(Json::as_str).map(str::to_owned);
        let scopes = self.scopes_claims.iter().find(|claim| claim.find(&claims).is_some());
        Identity {
            authenticator: id,
            authenticator_name: authenticator.name.clone(),
            method,
            issuer: text("iss"),
            subject: text("sub"),
            owner: None,
            limit: None,
            roles: self.roles_claim.find_strings(&claims, None),
            scopes: scopes.map(|claim| claim.find_strings(&claims, Some(' '))).unwrap_or_default(),
            claims,
        }
    }
}

// What is known of somebody is nobody else's business.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("authenticator", &self.authenticator_name).finish_non_exhaustive()
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, retry_after: None }
    }
}

impl From<Reason> for Unverified {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason.into())
    }
}

impl From<ProofError> for Unverified {
    fn from(error: ProofError) -> Self {
        Reason::Proof(error).into()
    }
}

impl From<TokenError> for Unverified {
    fn from(error: TokenError) -> Self {
        Reason::Token(error).into()
    }
}
