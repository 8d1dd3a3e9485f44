//! The steps of a decision, told one by one.

use super::Reason;
use crate::auth::Unverified;

/// A step of a decision, as `gatepost explain` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The path as it is matched and forwarded.
    Path(String),
    /// The host as it is compared.
    Host(String),
    /// The route that was selected.
    Route(String),
    /// The request is a CORS preflight of the selected route.
    Preflight,
    /// No route has the path.
    Unmatched,
    /// An authenticator's verdict.
    Authenticator {
        /// Its name.
        name: String,
        /// Why it refused; none if it verified.
        refused: Option<Reason>,
    },
    /// An authenticator has to ask a provider first.
    Waits {
        /// Its name.
        authenticator: String,
    },
    /// No credential came, and none is needed.
    Anonymous,
    /// A limit that the request counts against.
    RateLimit {
        /// Which one.
        name: &'static str,
        /// Whether it is exceeded.
        exceeded: bool,
    },
    /// Who was verified.
    Verified {
        /// The authenticator.
        authenticator: String,
        /// Roles that the caller holds.
        roles: usize,
        /// Scopes that the caller holds.
        scopes: usize,
    },
}

/// What an authenticator's verdict is told as.
pub(super) fn step(authenticator: String, verdict: Result<(), Unverified>) -> Step {
    match verdict {
        Ok(()) => Step::Authenticator { name: authenticator, refused: None },
        Err(Unverified::Refused(refusal)) => Step::Authenticator { name: authenticator, refused: Some(refusal.reason) },
        Err(Unverified::Waits) => Step::Waits { authenticator },
    }
}
