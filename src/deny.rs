//! Every way in which a request can be refused, in one closed enum, and what the caller is then told.
//!
//! A [`Reason`] is precise and goes to metrics, audit lines and `gatepost explain`. A [`Code`] is what the caller
//! learns: enough to act on, nothing that would help to guess a key, an issuer or an audience.

mod answer;

use std::fmt;

use crate::jose::{TokenError, dpop::ProofError};

pub use answer::{Answer, Circumstances, Format, GrpcStatus, Responses};

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No credential where the route's authenticators look for one.
    MissingCredential,
    /// A credential's carrier is malformed: `Bearer` without a token, or with something after it.
    MalformedCredential,
    /// Differing credentials for one authenticator.
    AmbiguousCredential,
    /// A cookie credential came with an unsafe request from another site.
    CrossSite,
    /// The client has shown no certificate.
    NoClientCertificate,
    /// The host has not validated the client's certificate.
    UnvalidatedCertificate,
    /// The host does not tell whether it has validated the client's certificate, and nobody vouches for its listener.
    ValidationUnknown,
    /// The client's certificate matches no pattern.
    UnlistedCertificate,
    /// The token was refused.
    Token(TokenError),
    /// The token is good, and the DPoP proof that it needs is not.
    Proof(ProofError),
    /// An API key's carrier is malformed: the scheme without a key, or with something after it.
    MalformedApiKey,
    /// No configured key has the hash of the one that was presented.
    UnknownApiKey,
    /// The API key's `expires_at` is past.
    ExpiredApiKey,
    /// A signature that is not what its scheme writes, or lacks its time, id or key.
    MalformedSignature,
    /// No configured key has the id that the signature names.
    UnknownSigningKey,
    /// The signing key's `expires_at` is past.
    ExpiredSigningKey,
    /// The signature's time is further from now than `tolerance`.
    StaleSignature,
    /// None of the secrets has made the signature.
    WrongSignature,
    /// The signature came before.
    ReplayedSignature,
    /// The body is longer than `max_body`.
    BodyTooLarge,
    /// The body did not come within `body_timeout`.
    BodyTimeout,
    /// The host does not show bodies of requests that are held.
    BodyWithheld,
    /// In shadow mode: the body is not held, and was not read to its end.
    BodyUnread,
    /// None of the route's roles.
    InsufficientRole,
    /// Not all of the route's scopes.
    InsufficientScope,
    /// A mapped value that is required is missing.
    MissingClaim,
    /// A path that servers read differently.
    BadPath,
    /// A `Connection` header nominates an identity header.
    NominatedIdentity,
    /// An `Upgrade` to something other than `websocket`, or one where the body is signed.
    UnsupportedUpgrade,
    /// A method, scheme or authority that is missing, repeated or malformed.
    MalformedHead,
    /// No route has this path.
    NoRoute,
    /// The path differs from one with another policy only in case or by a trailing slash.
    LookalikePath,
    /// The path does not serve this method.
    MethodNotAllowed,
    /// The keys that would verify the token cannot be had.
    KeysUnavailable,
    /// The token's issuer did not say whether it is good.
    IntrospectionFailed,
    /// Which tokens were taken back cannot be found out.
    RevocationsUnavailable,
    /// Too many requests wait for a provider or for their bodies.
    TooManyWaiting,
    /// There is no room to remember that the credential was used, and it may be used only once.
    ReplayStoreFull,
    /// A rate limit is exceeded.
    RateLimited,
    /// The host did not give or take the headers.
    HostFailure,
    /// More headers than the host can carry.
    HeadersTooLarge,
}

/// What a refused caller is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// 401
    MissingCredential,
    /// 401
    InvalidToken,
    /// 401
    TokenExpired,
    /// 403
    InvalidAudience,
    /// 401
    InvalidApiKey,
    /// 401
    ClientCertificateRequired,
    /// 401
    InvalidSignature,
    /// 400
    AmbiguousCredential,
    /// 403
    CrossSite,
    /// 403
    InsufficientRole,
    /// 403
    InsufficientScope,
    /// 403
    MissingClaim,
    /// 400
    BadPath,
    /// 400
    BadRequest,
    /// 404
    NoRoute,
    /// 405
    MethodNotAllowed,
    /// 413
    BodyTooLarge,
    /// 408
    BodyTimeout,
    /// 429
    RateLimited,
    /// 503
    ProviderUnavailable,
    /// 503
    GatewayFailure,
    /// 431
    HeadersTooLarge,
}

impl Reason {
    /// Every reason, those of tokens included.
    pub fn all() -> impl Iterator<Item = Self> {
        let tokens = TokenError::ALL.into_iter().map(Self::Token);
        let proofs = ProofError::ALL.into_iter().map(Self::Proof);
        [
            Self::MissingCredential,
            Self::MalformedCredential,
            Self::AmbiguousCredential,
            Self::CrossSite,
            Self::MalformedApiKey,
            Self::UnknownApiKey,
            Self::ExpiredApiKey,
            Self::NoClientCertificate,
            Self::UnvalidatedCertificate,
            Self::ValidationUnknown,
            Self::UnlistedCertificate,
            Self::MalformedSignature,
            Self::UnknownSigningKey,
            Self::ExpiredSigningKey,
            Self::StaleSignature,
            Self::WrongSignature,
            Self::ReplayedSignature,
            Self::BodyTooLarge,
            Self::BodyTimeout,
            Self::BodyWithheld,
            Self::BodyUnread,
            Self::InsufficientRole,
            Self::InsufficientScope,
            Self::MissingClaim,
            Self::BadPath,
            Self::NominatedIdentity,
            Self::UnsupportedUpgrade,
            Self::MalformedHead,
            Self::NoRoute,
            Self::LookalikePath,
            Self::MethodNotAllowed,
            Self::KeysUnavailable,
            Self::IntrospectionFailed,
            Self::RevocationsUnavailable,
            Self::TooManyWaiting,
            Self::ReplayStoreFull,
            Self::RateLimited,
            Self::HostFailure,
            Self::HeadersTooLarge,
        ]
        .into_iter()
        .chain(tokens)
        .chain(proofs)
    }

    /// What the caller is told.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::MissingCredential => Code::MissingCredential,
            Self::AmbiguousCredential => Code::AmbiguousCredential,
            Self::CrossSite => Code::CrossSite,
            Self::NoClientCertificate
            | Self::UnvalidatedCertificate
            | Self::ValidationUnknown
            | Self::UnlistedCertificate => Code::ClientCertificateRequired,
            Self::Token(TokenError::Expired) => Code::TokenExpired,
            Self::Token(TokenError::WrongAudience) => Code::InvalidAudience,
            Self::MalformedCredential | Self::Token(_) | Self::Proof(_) => Code::InvalidToken,
            Self::MalformedApiKey | Self::UnknownApiKey | Self::ExpiredApiKey => Code::InvalidApiKey,
            Self::MalformedSignature
            | Self::UnknownSigningKey
            | Self::ExpiredSigningKey
            | Self::StaleSignature
            | Self::WrongSignature
            | Self::ReplayedSignature => Code::InvalidSignature,
            Self::BodyTooLarge => Code::BodyTooLarge,
            Self::BodyTimeout => Code::BodyTimeout,
            Self::InsufficientRole => Code::InsufficientRole,
            Self::InsufficientScope => Code::InsufficientScope,
            Self::MissingClaim => Code::MissingClaim,
            Self::BadPath => Code::BadPath,
            Self::NominatedIdentity | Self::UnsupportedUpgrade | Self::MalformedHead => Code::BadRequest,
            Self::NoRoute | Self::LookalikePath => Code::NoRoute,
            Self::MethodNotAllowed => Code::MethodNotAllowed,
            Self::KeysUnavailable
            | Self::IntrospectionFailed
            | Self::RevocationsUnavailable
            | Self::TooManyWaiting
            | Self::ReplayStoreFull => Code::ProviderUnavailable,
            Self::RateLimited => Code::RateLimited,
            Self::HostFailure | Self::BodyWithheld | Self::BodyUnread => Code::GatewayFailure,
            Self::HeadersTooLarge => Code::HeadersTooLarge,
        }
    }

    /// The label of metrics and audit lines.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::MissingCredential => "missing_credential",
            Self::MalformedCredential => "malformed_credential",
            Self::AmbiguousCredential => "ambiguous_credential",
            Self::CrossSite => "cross_site",
            Self::NoClientCertificate => "no_client_certificate",
            Self::UnvalidatedCertificate => "unvalidated_certificate",
            Self::ValidationUnknown => "certificate_validation_unknown",
            Self::UnlistedCertificate => "unlisted_certificate",
            Self::Token(error) => error.label(),
            Self::Proof(error) => error.label(),
            Self::MalformedApiKey => "malformed_api_key",
            Self::UnknownApiKey => "unknown_api_key",
            Self::ExpiredApiKey => "expired_api_key",
            Self::MalformedSignature => "malformed_signature",
            Self::UnknownSigningKey => "unknown_signing_key",
            Self::ExpiredSigningKey => "expired_signing_key",
            Self::StaleSignature => "stale_signature",
            Self::WrongSignature => "wrong_signature",
            Self::ReplayedSignature => "replayed_signature",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTimeout => "body_timeout",
            Self::BodyWithheld => "body_withheld",
            Self::BodyUnread => "body_unread",
            Self::InsufficientRole => "insufficient_role",
            Self::InsufficientScope => "insufficient_scope",
            Self::MissingClaim => "missing_claim",
            Self::BadPath => "bad_path",
            Self::NominatedIdentity => "nominated_identity",
            Self::UnsupportedUpgrade => "unsupported_upgrade",
            Self::MalformedHead => "malformed_head",
            Self::NoRoute => "no_route",
            Self::LookalikePath => "lookalike_path",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::KeysUnavailable => "keys_unavailable",
            Self::IntrospectionFailed => "introspection_failed",
            Self::RevocationsUnavailable => "revocations_unavailable",
            Self::TooManyWaiting => "too_many_waiting",
            Self::ReplayStoreFull => "replay_store_full",
            Self::RateLimited => "rate_limited",
            Self::HostFailure => "host_failure",
            Self::HeadersTooLarge => "headers_too_large",
        }
    }

    /// Whether it is for the proof and not for the token that a caller is refused: RFC 9449 §7.1 has an `error` of its own for
    /// it. A proof by another key is as good as any; it is the token that is not bound to it.
    #[must_use]
    pub fn is_of_proof(self) -> bool {
        matches!(self, Self::Proof(error) if error != ProofError::WrongKey)
    }

    /// How far a credential got before it was refused: of several failures the one that got furthest is reported.
    #[must_use]
    pub fn progress(self) -> usize {
        let token = |error| TokenError::ALL.iter().position(|other| *other == error).unwrap_or(0).saturating_add(7);
        match self {
            Self::NoClientCertificate => 0,
            Self::MissingCredential => 1,
            // Below all that can be wrong with a token: a connection may show a certificate whatever its requests are for.
            Self::UnvalidatedCertificate | Self::ValidationUnknown => 2,
            Self::UnlistedCertificate => 3,
            Self::AmbiguousCredential => 4,
            Self::MalformedCredential | Self::MalformedApiKey | Self::MalformedSignature => 5,
            Self::CrossSite => 6,
            Self::Token(error) => token(error),
            // Any string may be an API key: one that nobody knows has got as far as one that is no token.
            Self::UnknownApiKey => token(TokenError::Malformed),
            Self::ExpiredApiKey => token(TokenError::Expired),
            Self::Proof(_) => TokenError::ALL.len().saturating_add(7),
            // Who signed it, and when, is looked at before the signature is; whether it came before, after.
            Self::UnknownSigningKey | Self::StaleSignature => token(TokenError::UnknownKey),
            Self::WrongSignature => token(TokenError::BadSignature),
            Self::ExpiredSigningKey | Self::ReplayedSignature => token(TokenError::Expired),
            _ => usize::MAX,
        }
    }

    /// Whether the caller has shown no credential, be it a good or a bad one.
    #[must_use]
    pub fn is_absence(self) -> bool {
        matches!(self, Self::MissingCredential | Self::NoClientCertificate)
    }
}

impl Code {
    /// The member `error` of the answer's body.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MissingCredential => "missing_credential",
            Self::InvalidToken => "invalid_token",
            Self::TokenExpired => "token_expired",
            Self::InvalidAudience => "invalid_audience",
            Self::InvalidApiKey => "invalid_api_key",
            Self::ClientCertificateRequired => "client_certificate_required",
            Self::InvalidSignature => "invalid_signature",
            Self::AmbiguousCredential => "ambiguous_credential",
            Self::CrossSite => "cross_site",
            Self::InsufficientRole => "insufficient_role",
            Self::InsufficientScope => "insufficient_scope",
            Self::MissingClaim => "missing_claim",
            Self::BadPath => "bad_path",
            Self::BadRequest => "bad_request",
            Self::NoRoute => "no_route",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTimeout => "body_timeout",
            Self::RateLimited => "rate_limited",
            Self::ProviderUnavailable => "provider_unavailable",
            Self::GatewayFailure => "gateway_failure",
            Self::HeadersTooLarge => "headers_too_large",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::AmbiguousCredential | Self::BadPath | Self::BadRequest => 400,
            Self::MissingCredential
            | Self::InvalidToken
            | Self::TokenExpired
            | Self::InvalidApiKey
            | Self::ClientCertificateRequired
            | Self::InvalidSignature => 401,
            Self::InvalidAudience
            | Self::CrossSite
            | Self::InsufficientRole
            | Self::InsufficientScope
            | Self::MissingClaim => 403,
            Self::NoRoute => 404,
            Self::MethodNotAllowed => 405,
            Self::BodyTimeout => 408,
            Self::BodyTooLarge => 413,
            Self::RateLimited => 429,
            Self::HeadersTooLarge => 431,
            Self::ProviderUnavailable | Self::GatewayFailure => 503,
        }
    }

    /// One fixed sentence for people.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::MissingCredential => "The request carries no credential",
            Self::InvalidToken => "The access token is not valid",
            Self::TokenExpired => "The access token expired",
            Self::InvalidAudience => "The access token is meant for another audience",
            Self::InvalidApiKey => "The API key is not valid",
            Self::ClientCertificateRequired => "The request needs a client certificate that is accepted here",
            Self::InvalidSignature => "The signature is not valid",
            Self::AmbiguousCredential => "The request carries differing credentials",
            Self::CrossSite => "A cookie credential is not accepted from another site",
            Self::InsufficientRole => "The caller has none of the roles that this needs",
            Self::InsufficientScope => "The caller lacks a scope that this needs",
            Self::MissingClaim => "The caller lacks a claim that this needs",
            Self::BadPath => "The path can be read in more than one way",
            Self::BadRequest => "The request is malformed",
            Self::NoRoute => "There is nothing at this path",
            Self::MethodNotAllowed => "The path does not serve this method",
            Self::BodyTooLarge => "The request body is too large",
            Self::BodyTimeout => "The request body did not arrive in time",
            Self::RateLimited => "Too many requests have come from this caller",
            Self::ProviderUnavailable => "The credential cannot be checked at the moment",
            Self::GatewayFailure => "The gateway could not process the request",
            Self::HeadersTooLarge => "The request headers are too large",
        }
    }

    /// The `error` of a challenge (RFC 6750 §3.1); none where the challenge stays bare.
    #[must_use]
    pub fn oauth_error(self) -> Option<&'static str> {
        match self {
            Self::InvalidToken | Self::TokenExpired | Self::InvalidAudience => Some("invalid_token"),
            Self::AmbiguousCredential | Self::BadPath | Self::BadRequest => Some("invalid_request"),
            Self::InsufficientRole | Self::InsufficientScope | Self::MissingClaim => Some("insufficient_scope"),
            _ => None,
        }
    }

    /// Whether the answer carries `WWW-Authenticate`: every 401, and what was wrong with a token (RFC 6750 §3).
    #[must_use]
    pub fn challenges(self) -> bool {
        match self {
            Self::MissingCredential
            | Self::InvalidToken
            | Self::TokenExpired
            | Self::InvalidAudience
            | Self::InvalidApiKey
            | Self::ClientCertificateRequired
            | Self::InvalidSignature
            | Self::AmbiguousCredential
            | Self::InsufficientRole
            | Self::InsufficientScope
            | Self::MissingClaim => true,
            Self::CrossSite
            | Self::BadPath
            | Self::BadRequest
            | Self::NoRoute
            | Self::MethodNotAllowed
            | Self::BodyTooLarge
            | Self::BodyTimeout
            | Self::RateLimited
            | Self::ProviderUnavailable
            | Self::GatewayFailure
            | Self::HeadersTooLarge => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl From<ProofError> for Reason {
    fn from(error: ProofError) -> Self {
        Self::Proof(error)
    }
}

impl From<TokenError> for Reason {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    test!(every_401_challenges, {
        for reason in Reason::all() {
            let code = reason.code();
            assert!(code.challenges() || code.status() != 401, "{code:?}");
        }
    });
}
