//! Why a request was refused, to the point.

use std::fmt;

use super::Code;
use crate::jose::{TokenError, dpop::ProofError};

/// What is written of a reason is in order: what it means, what the caller is told, its label, what to do about it.
macro_rules! reasons {
    ($($(#[doc = $meaning:literal])+ $reason:ident = $code:ident $label:literal, $remedy:literal;)+) => {
        /// Why a request was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[doc = $meaning])+ $reason,)+
            /// The token was refused.
            Token(TokenError),
            /// The token is good, and the DPoP proof that it needs is not.
            Proof(ProofError),
        }

        impl Reason {
            const OWN: [Self; [$($label),+].len()] = [$(Self::$reason),+];

            /// What the caller is told.
            #[must_use]
            pub const fn code(self) -> Code {
                match self {
                    $(Self::$reason => Code::$code,)+
                    Self::Token(TokenError::Expired) => Code::TokenExpired,
                    Self::Token(TokenError::WrongAudience) => Code::InvalidAudience,
                    Self::Token(_) | Self::Proof(_) => Code::InvalidToken,
                }
            }

            /// The label of metrics and audit lines.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$reason => $label,)+
                    Self::Token(error) => error.label(),
                    Self::Proof(error) => error.label(),
                }
            }

            /// What it means, and what to do about it.
            #[cfg(not(target_arch = "wasm32"))]
            #[must_use]
            pub const fn explanation(self) -> (&'static str, &'static str) {
                match self {
                    $(Self::$reason => (concat!($($meaning),+), $remedy),)+
                    Self::Token(error) => error.explanation(),
                    Self::Proof(error) => error.explanation(),
                }
            }
        }
    };
}

reasons! {
    /// No credential where the route's authenticators look for one.
    MissingCredential = MissingCredential "missing_credential",
        "The caller sends its credential where `from` of the route's authenticators looks for it. A route that is \
         meant for everyone says `\"auth\": false`.";
    /// A credential's carrier is malformed: `Bearer` without a token, or with something after it.
    MalformedCredential = InvalidToken "malformed_credential",
        "The caller sends the scheme, one space and the token (`Authorization: Bearer TOKEN`), and nothing after it.";
    /// Differing credentials for one authenticator.
    AmbiguousCredential = AmbiguousCredential "ambiguous_credential",
        "The caller sends one token, in one place. Where a browser's cookie and a header may differ, \
         `\"on_multiple\": \"first_source\"` takes the first of `from`.";
    /// A cookie credential came with an unsafe request from another site.
    CrossSite = CrossSite "cross_site",
        "A page of another site made the request. If that site is yours, list its origin in `csrf_origins`.";
    /// An API key's carrier is malformed: the scheme without a key, or with something after it.
    MalformedApiKey = InvalidApiKey "malformed_api_key",
        "The caller sends the key alone, or the scheme that `from` names, one space and the key.";
    /// No configured key has the hash of the one that was presented.
    UnknownApiKey = InvalidApiKey "unknown_api_key",
        "Compare `gatepost hash-key` of the caller's key with the `sha256` of the entries; an entry that was taken \
         out ends its key.";
    /// The API key's `expires_at` is past.
    ExpiredApiKey = InvalidApiKey "expired_api_key",
        "Give the caller a new key, or the entry a later `expires_at`.";
    /// The client has shown no certificate.
    NoClientCertificate = ClientCertificateRequired "no_client_certificate",
        "The caller connects with a client certificate; the listener asks for one (`require_client_certificate`, or \
         a validation context that allows none).";
    /// The host has not validated the client's certificate.
    UnvalidatedCertificate = ClientCertificateRequired "unvalidated_certificate",
        "The listener's validation context has to trust the certificate's issuer. gatepost validates no chains.";
    /// The host does not tell whether it has validated the client's certificate, and nobody vouches for its listener.
    ValidationUnknown = ClientCertificateRequired "certificate_validation_unknown",
        "Envoy before 1.39 does not tell whether it validated the certificate: where the listener refuses those that \
         it cannot validate, say `\"listener_validates\": true`.";
    /// The client's certificate matches no pattern.
    UnlistedCertificate = ClientCertificateRequired "unlisted_certificate",
        "Compare the certificate's URI, DNS names, subject and fingerprint with the authenticator's patterns.";
    /// A signature that is not what its scheme writes, or lacks its time, id or key.
    MalformedSignature = InvalidSignature "malformed_signature",
        "The sender is not of this scheme, or a proxy took its headers away. Compare with the scheme's headers on \
         the page on signed requests.";
    /// No configured key has the id that the signature names.
    UnknownSigningKey = InvalidSignature "unknown_signing_key",
        "Compare the id that the sender names with `keys[].id`.";
    /// The signing key's `expires_at` is past.
    ExpiredSigningKey = InvalidSignature "expired_signing_key",
        "Give the sender a new key, or the entry a later `expires_at`.";
    /// The signature's time is further from now than `tolerance`.
    StaleSignature = InvalidSignature "stale_signature",
        "Compare the clocks of the sender and of the gateway. A delivery that is tried again later has to be signed \
         again.";
    /// None of the secrets has made the signature.
    WrongSignature = InvalidSignature "wrong_signature",
        "Compare the two sides' secret. Otherwise something between the sender and the gateway changes the body, or \
         the path where the scheme signs it.";
    /// The signature came before.
    ReplayedSignature = InvalidSignature "replayed_signature",
        "Nothing: the first delivery was let through. A sender that tries again has to sign again.";
    /// The body is longer than `max_body`.
    BodyTooLarge = BodyTooLarge "body_too_large",
        "Raise `max_body` if the sender's bodies are that long; each worker holds them in memory until they are \
         verified.";
    /// The body did not come within `body_timeout`.
    BodyTimeout = BodyTimeout "body_timeout",
        "The sender is slow, or stopped. Raise `body_timeout` if its bodies are large.";
    /// The host does not show bodies of requests that are held.
    BodyWithheld = GatewayFailure "body_withheld",
        "The filter needs `allow_on_headers_stop_iteration: true` (Envoy 1.35 or later; in Istio by an \
         `EnvoyFilter`): without it the host holds back the body of a request that waits.";
    /// In shadow mode: the body is not held, and was not read to its end.
    BodyUnread = GatewayFailure "body_unread",
        "The caller, or the service, ended the request before its body did. In shadow mode only: nothing was refused.";
    /// None of the route's roles.
    InsufficientRole = InsufficientRole "insufficient_role",
        "Give the caller one of the route's roles, and see that `roles_claim` names where the token has them.";
    /// Not all of the route's scopes.
    InsufficientScope = InsufficientScope "insufficient_scope",
        "The caller asks for the scopes of the challenge; see that `scopes_claim` names where the token has them.";
    /// A mapped value that is required is missing.
    MissingClaim = MissingClaim "missing_claim",
        "The issuer has to write the claim of a mapped value that is `required`, or the value gets a `default`.";
    /// A path that servers read differently.
    BadPath = BadPath "bad_path",
        "The caller sends a path that all servers read alike: no `.` or `..` segments, no `//`, no encoded slash, \
         backslash, NUL or `;`, no double encoding. `\"path_policy\": \"normalize\"` resolves dots and merges \
         slashes; `\"encoded_slash\": \"keep\"` allows `%2F` on a route.";
    /// A `Connection` header nominates an identity header.
    NominatedIdentity = BadRequest "nominated_identity",
        "A `Connection` header must not name an identity header: the next hop would drop it. Honest clients do not \
         do that.";
    /// An `Upgrade` to something other than `websocket`, or one where the body is signed.
    UnsupportedUpgrade = BadRequest "unsupported_upgrade",
        "Only WebSockets can be upgraded to, and not on routes whose bodies are signed.";
    /// A method, scheme or authority that is missing, repeated or malformed.
    MalformedHead = BadRequest "malformed_head",
        "The caller sends one method, path, scheme and authority each, as HTTP writes them.";
    /// No route has this path.
    NoRoute = NoRoute "no_route",
        "Add a route for the path, or correct the caller's. `gatepost explain` shows which routes were close.";
    /// The path differs from one with another policy only in case or by a trailing slash.
    LookalikePath = NoRoute "lookalike_path",
        "The path differs from a route with another policy only in case or by a slash at its end: the caller writes \
         it as the route does. `\"case_insensitive\": true` makes a route match whatever the case.";
    /// The path does not serve this method.
    MethodNotAllowed = MethodNotAllowed "method_not_allowed",
        "The answer's `Allow` names what the path serves. A vaguer route never serves what a more specific path does \
         not: add the method there.";
    /// The keys that would verify the token cannot be had.
    KeysUnavailable = ProviderUnavailable "keys_unavailable",
        "The gateway has no keys of the provider: see `gatepost.key_fetches.<authenticator>.failed`, the log, the cluster's health \
         and `max_stale`.";
    /// The token's issuer did not say whether it is good.
    IntrospectionFailed = ProviderUnavailable "introspection_failed",
        "The provider did not answer in time, or not as RFC 7662 says: see the log, the cluster's health, `timeout`, \
         and the client's id and secret.";
    /// Which tokens were taken back cannot be found out.
    RevocationsUnavailable = ProviderUnavailable "revocations_unavailable",
        "The revocation list is older than its `max_stale`, or was never fetched: see \
         `gatepost.revocation_fetches.<authenticator>.failed`. `\"unavailable\": \"allow\"` prefers service over certainty.";
    /// Too many requests wait for a provider or for their bodies.
    TooManyWaiting = ProviderUnavailable "too_many_waiting",
        "A provider is slow while many requests need it, or many signed bodies arrive at once: see \
         `gatepost.waiting`, and `timeout` and `body_timeout`.";
    /// There is no room to remember that the credential was used, and it may be used only once.
    ReplayStoreFull = ProviderUnavailable "replay_store_full",
        "More proofs or signatures came than can be remembered until they end: raise the number of gateways, or \
         shorten `tolerance`.";
    /// A rate limit is exceeded.
    RateLimited = RateLimited "rate_limited",
        "The caller waits as long as `Retry-After` says. Raise the limit if it is honest.";
    /// The host did not give or take the headers.
    HostFailure = GatewayFailure "host_failure",
        "The proxy refused the filter a call: the log says which. A configuration that runs at all does not meet it; \
         report it.";
    /// More headers than the host can carry.
    HeadersTooLarge = HeadersTooLarge "headers_too_large",
        "The headers, with those that gatepost adds, are more than the proxy carries (100, or its \
         `max_request_headers_kb`): map fewer values, or raise its limits.";
}

impl Reason {
    /// Every reason, those of tokens and proofs included.
    pub fn all() -> impl Iterator<Item = Self> {
        let tokens = TokenError::ALL.into_iter().map(Self::Token);
        let proofs = ProofError::ALL.into_iter().map(Self::Proof);
        Self::OWN.into_iter().chain(tokens).chain(proofs)
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
