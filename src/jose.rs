//! JSON Object Signing and Encryption, as far as a verifier needs it: tokens, key sets, claims.

pub mod claims;
pub mod dpop;
pub mod jwk;
pub mod jws;

use std::fmt;

/// Why a token was refused. Callers learn less: see [`crate::deny::Code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenError {
    /// A JWT of an issuer that another authenticator is there for: this one's provider is not asked about it.
    ForeignIssuer,
    /// Not a JWS in compact serialisation (RFC 7515 §7.1), or its header or payload is not a JSON object.
    Malformed,
    /// The header asks for an extension: `crit` or `b64` (RFC 7515 §4.1.11, RFC 7797).
    CriticalHeader,
    /// The algorithm is unknown, not configured, or not one for the key that the token names.
    AlgorithmNotAllowed,
    /// No key bears the token's key id.
    UnknownKey,
    /// No key that fits verifies the signature.
    BadSignature,
    /// The token's issuer says that it is not good (RFC 7662 §2.2).
    Inactive,
    /// A registered claim is not of its type (RFC 7519 §4.1).
    MalformedClaim,
    /// `exp` is past.
    Expired,
    /// `nbf` is to come.
    NotYetValid,
    /// `iat` is to come.
    IssuedInTheFuture,
    /// `iss` is none of the configured ones.
    WrongIssuer,
    /// `aud` holds none of the configured ones.
    WrongAudience,
    /// `typ` is none of the configured ones.
    WrongType,
    /// A claim that the configuration requires is missing.
    MissingRequiredClaim,
    /// A claim has none of the values that the configuration asks for.
    ClaimMismatch,
    /// `exp` is further from `iat` than the configuration allows, or one of them is missing.
    LifetimeTooLong,
    /// The token is bound to a key or certificate (RFC 7800) that this gateway cannot check.
    UnsupportedConfirmation,
    /// The token is not bound to the key of a DPoP proof, and has to be, or is presented as if it were (RFC 9449 §7.1).
    NotBoundToProof,
    /// The token is bound to the key of a DPoP proof, and presented as if it were not (RFC 9449 §7.2).
    BoundTokenAsBearer,
    /// The token is bound to a certificate (RFC 8705 §3), and the client has shown none.
    NoBoundCertificate,
    /// The token is bound to a certificate, and the host does not tell which one the client has shown.
    UnknownCertificate,
    /// The token is bound to another certificate than the client has shown.
    WrongCertificate,
    /// Whether the token was taken back cannot be told: it lacks `iss`, the claim that the list names, or `iat`.
    NotRevocable,
    /// The token was taken back.
    Revoked,
}

impl TokenError {
    /// Every variant, in the order in which verification meets them: a later one means that the token got further.
    pub const ALL: [Self; 25] = [
        Self::ForeignIssuer,
        Self::Malformed,
        Self::CriticalHeader,
        Self::AlgorithmNotAllowed,
        Self::UnknownKey,
        Self::BadSignature,
        Self::Inactive,
        Self::MalformedClaim,
        Self::Expired,
        Self::NotYetValid,
        Self::IssuedInTheFuture,
        Self::WrongIssuer,
        Self::WrongAudience,
        Self::WrongType,
        Self::MissingRequiredClaim,
        Self::ClaimMismatch,
        Self::LifetimeTooLong,
        Self::UnsupportedConfirmation,
        Self::NotBoundToProof,
        Self::BoundTokenAsBearer,
        Self::NoBoundCertificate,
        Self::UnknownCertificate,
        Self::WrongCertificate,
        Self::NotRevocable,
        Self::Revoked,
    ];

    /// The label of metrics and audit lines.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::ForeignIssuer => "foreign_issuer",
            Self::Malformed => "malformed_token",
            Self::CriticalHeader => "critical_header",
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::UnknownKey => "unknown_key",
            Self::BadSignature => "bad_signature",
            Self::Inactive => "inactive_token",
            Self::MalformedClaim => "malformed_claim",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInTheFuture => "issued_in_the_future",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::WrongType => "wrong_type",
            Self::MissingRequiredClaim => "missing_required_claim",
            Self::ClaimMismatch => "claim_mismatch",
            Self::LifetimeTooLong => "lifetime_too_long",
            Self::UnsupportedConfirmation => "unsupported_confirmation",
            Self::NotBoundToProof => "not_bound_to_proof",
            Self::BoundTokenAsBearer => "bound_token_as_bearer",
            Self::NoBoundCertificate => "bound_certificate_missing",
            Self::UnknownCertificate => "bound_certificate_unknown",
            Self::WrongCertificate => "bound_certificate_differs",
            Self::NotRevocable => "not_revocable",
            Self::Revoked => "revoked",
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl std::error::Error for TokenError {}
