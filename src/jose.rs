//! JSON Object Signing and Encryption, as far as a verifier needs it: tokens, key sets, claims.

pub mod claims;
pub mod dpop;
pub mod jwk;
pub mod jws;

use crate::label::labelled;

labelled! {
    /// Why a token was refused, in the order in which verification meets it: a later one means that the token got further.
    /// Callers learn less: see [`crate::deny::Code`].
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum TokenError {
        /// A JWT of an issuer that another authenticator is there for: this one's provider is not asked about it.
        ForeignIssuer = "foreign_issuer",
            "Nothing, where another authenticator of the route takes the token. Otherwise name the authenticator of \
             that issuer in the route's `auth`.";
        /// Not a JWS in compact serialisation (RFC 7515 §7.1), or its header or payload is not a JSON object.
        Malformed = "malformed_token",
            "The caller sends something that is no JWT: an opaque token, an encrypted one (JWE), or a cut or quoted \
             text. Opaque tokens need an authenticator of type `introspection`.";
        /// The header asks for an extension: `crit` or `b64` (RFC 7515 §4.1.11, RFC 7797).
        CriticalHeader = "critical_header",
            "The issuer must leave `crit` and `b64` out of the header: gatepost knows no extension that a token may \
             demand.";
        /// The algorithm is unknown, not configured, or not one for the key that the token names.
        AlgorithmNotAllowed = "algorithm_not_allowed",
            "Compare the `alg` of the token's header with `algorithms` and with the type of the key: an RSA key \
             verifies RS* and PS*, an EC key the ES* of its curve. `none` is never accepted.";
        /// No key bears the token's key id.
        UnknownKey = "unknown_key",
            "Either the issuer has changed its keys and the new ones were not fetched yet (see \
             `gatepost.key_fetches` and the `cooldown`), or the token is of another issuer or environment.";
        /// No key that fits verifies the signature.
        BadSignature = "bad_signature",
            "The token was changed, forged, or signed by another environment's key with the same `kid`. With a \
             shared secret, compare the two sides' secret and `secret_base64`.";
        /// The token's issuer says that it is not good (RFC 7662 §2.2).
        Inactive = "inactive_token",
            "The token ended, was taken back, or is not one of this provider. The caller gets a new one.";
        /// A registered claim is not of its type (RFC 7519 §4.1).
        MalformedClaim = "malformed_claim",
            "The issuer must write `exp`, `nbf` and `iat` as numbers and `iss`, `sub` and `jti` as strings.";
        /// `exp` is past.
        Expired = "expired",
            "The caller gets a new token. Where all callers are refused, compare the clocks of the issuer and of the \
             gateway; `clock_skew` is 60s by default.";
        /// `nbf` is to come.
        NotYetValid = "not_yet_valid",
            "Compare the clocks of the issuer and of the gateway; raise `clock_skew` where they cannot be closer.";
        /// `iat` is to come.
        IssuedInTheFuture = "issued_in_the_future",
            "Compare the clocks of the issuer and of the gateway; raise `clock_skew` where they cannot be closer.";
        /// `iss` is none of the configured ones.
        WrongIssuer = "wrong_issuer",
            "Compare the token's `iss` with `issuer`, character by character: a trailing slash counts.";
        /// `aud` holds none of the configured ones.
        WrongAudience = "wrong_audience",
            "The caller asks the issuer for a token for this audience, or `audiences` of the authenticator or of the \
             route lacks one.";
        /// `typ` is none of the configured ones.
        WrongType = "wrong_type",
            "The caller sends an ID token or another kind where an access token belongs, or `types` lacks the \
             issuer's `typ`.";
        /// A claim that the configuration requires is missing.
        MissingRequiredClaim = "missing_required_claim",
            "The issuer must write every claim of `require`; the default asks for `exp`.";
        /// A claim has none of the values that the configuration asks for.
        ClaimMismatch = "claim_mismatch",
            "The caller lacks what `claims` of the authenticator or of the route asks for. The name of the claim is \
             a path: see `$request.jwt`.";
        /// `exp` is further from `iat` than the configuration allows, or one of them is missing.
        LifetimeTooLong = "lifetime_too_long",
            "The issuer must make shorter tokens, with `iat` and `exp`, or `max_lifetime` be longer.";
        /// The token is bound to a key or certificate (RFC 7800) that this gateway cannot check.
        UnsupportedConfirmation = "unsupported_confirmation",
            "The issuer binds the token in a way other than `x5t#S256` and `jkt`: gatepost accepts none that it \
             cannot check.";
        /// The token is not bound to the key of a DPoP proof, and has to be, or is presented as if it were (RFC 9449 §7.1).
        NotBoundToProof = "not_bound_to_proof",
            "The caller asks the issuer for a token that is bound to its key (RFC 9449), or `dpop` is `allowed` \
             rather than `required`.";
        /// The token is bound to the key of a DPoP proof, and presented as if it were not (RFC 9449 §7.2).
        BoundTokenAsBearer = "bound_token_as_bearer",
            "The caller sends the token with the `DPoP` scheme and a proof. Where `dpop` is `off`, set it to \
             `allowed` and give `dpop_origin`.";
        /// The token is bound to a certificate (RFC 8705 §3), and the client has shown none.
        NoBoundCertificate = "bound_certificate_missing",
            "The caller uses the connection whose certificate the token is bound to. The listener has to ask for \
             client certificates.";
        /// The token is bound to a certificate, and the host does not tell which one the client has shown.
        UnknownCertificate = "bound_certificate_unknown",
            "The host has to tell the SHA-256 of the client's certificate, as Envoy does for every TLS listener. A \
             gateway behind another proxy that ends TLS cannot take such tokens.";
        /// The token is bound to another certificate than the client has shown.
        WrongCertificate = "bound_certificate_differs",
            "The caller uses the certificate with which it got the token; a proxy between the two shows its own.";
        /// Whether the token was taken back cannot be told: it lacks `iss`, the claim that the list names, or `iat`.
        NotRevocable = "not_revocable",
            "The issuer must write the claim that `revocation.by` names, and `iss` and `iat`.";
        /// The token was taken back.
        Revoked = "revoked",
            "The caller gets a new token, if its issuer lets it.";
    }
}

impl std::error::Error for TokenError {}
