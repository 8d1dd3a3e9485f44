//! What a refused caller is told.

/// What a code says.
struct Facts {
    name: &'static str,
    status: u16,
    challenge: Challenge,
    description: &'static str,
}

/// Whether an answer carries `WWW-Authenticate`, and with which `error` (RFC 6750 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// None.
    Never,
    /// One that names no error: nothing was presented, or nothing that RFC 6750 is about.
    Bare,
    /// One with an `error`.
    Error(&'static str),
}

use Challenge::{Bare, Error, Never};

/// What is written of a code is in order: its HTTP status, its name, its challenge, its sentence.
macro_rules! codes {
    ($($code:ident = $status:literal $name:literal $challenge:expr, $description:literal;)+) => {
        /// What a refused caller is told.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $description] $code,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$code),+];

            const fn facts(self) -> Facts {
                match self {
                    $(Self::$code => {
                        Facts { name: $name, status: $status, challenge: $challenge, description: $description }
                    })+
                }
            }
        }
    };
}

codes! {
    MissingCredential = 401 "missing_credential" Bare,
        "The request carries no credential";
    InvalidToken = 401 "invalid_token" Error("invalid_token"),
        "The access token is not valid";
    TokenExpired = 401 "token_expired" Error("invalid_token"),
        "The access token expired";
    InvalidAudience = 403 "invalid_audience" Error("invalid_token"),
        "The access token is meant for another audience";
    InvalidApiKey = 401 "invalid_api_key" Bare,
        "The API key is not valid";
    ClientCertificateRequired = 401 "client_certificate_required" Bare,
        "The request needs a client certificate that is accepted here";
    InvalidSignature = 401 "invalid_signature" Bare,
        "The signature is not valid";
    AmbiguousCredential = 400 "ambiguous_credential" Error("invalid_request"),
        "The request carries differing credentials";
    CrossSite = 403 "cross_site" Never,
        "A cookie credential is not accepted from another site";
    InsufficientRole = 403 "insufficient_role" Error("insufficient_scope"),
        "The caller has none of the roles that this needs";
    InsufficientScope = 403 "insufficient_scope" Error("insufficient_scope"),
        "The caller lacks a scope that this needs";
    MissingClaim = 403 "missing_claim" Error("insufficient_scope"),
        "The caller lacks a claim that this needs";
    BadPath = 400 "bad_path" Never,
        "The path can be read in more than one way";
    BadRequest = 400 "bad_request" Never,
        "The request is malformed";
    NoRoute = 404 "no_route" Never,
        "There is nothing at this path";
    MethodNotAllowed = 405 "method_not_allowed" Never,
        "The path does not serve this method";
    BodyTooLarge = 413 "body_too_large" Never,
        "The request body is too large";
    BodyTimeout = 408 "body_timeout" Never,
        "The request body did not arrive in time";
    RateLimited = 429 "rate_limited" Never,
        "Too many requests have come from this caller";
    ProviderUnavailable = 503 "provider_unavailable" Never,
        "The credential cannot be checked at the moment";
    GatewayFailure = 503 "gateway_failure" Never,
        "The gateway could not process the request";
    HeadersTooLarge = 431 "headers_too_large" Never,
        "The request headers are too large";
}

impl Code {
    /// The member `error` of the answer's body.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.facts().status
    }

    /// One fixed sentence for people.
    #[must_use]
    pub const fn description(self) -> &'static str {
        self.facts().description
    }

    /// The challenge: every 401 has one, and what was wrong with a token (RFC 6750 §3).
    #[must_use]
    pub const fn challenge(self) -> Challenge {
        self.facts().challenge
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    test!(every_401_challenges, {
        for code in Code::ALL {
            assert!(code.challenge() != Never || code.status() != 401, "{code:?}");
        }
    });
}
