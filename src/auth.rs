//! Authenticators, one file per method, and the policies that combine them.

pub mod jwt;
pub mod policy;

use crate::{
    credential::{self, OnMultiple, Source},
    json::Json,
    request::Request,
};

/// An authenticator's place among a gateway's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AuthenticatorId(pub usize);

/// An authenticator: where it finds credentials and how it verifies them.
#[derive(Debug)]
pub struct Authenticator {
    /// Its name in the configuration.
    pub name: String,
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
    Jwt(jwt::JwtMethod),
}

/// Who was verified, and what is known of them. Only an authenticator makes one: outside the crate there is no way to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Identity {
    /// Who verified it.
    pub authenticator: AuthenticatorId,
    /// That one's name.
    pub authenticator_name: String,
    /// The method, as `$identity.method` has it.
    pub method: &'static str,
    /// `iss`
    pub issuer: Option<String>,
    /// `sub`
    pub subject: Option<String>,
    /// The owner of an API key.
    pub owner: Option<String>,
    /// Roles.
    pub roles: Vec<String>,
    /// Scopes.
    pub scopes: Vec<String>,
    /// All claims.
    pub claims: Json,
}

impl Authenticator {
    /// The sources that carry its credential in this request.
    #[must_use]
    pub fn carriers(&self, request: &Request<'_>) -> Vec<&Source> {
        credential::carriers(&self.sources, self.on_multiple, request)
    }
}

impl Method {
    /// The authentication schemes with which a caller can answer (RFC 9110 §11.1).
    #[must_use]
    pub fn schemes(&self) -> &'static [&'static str] {
        match self {
            Self::Jwt(_) => &["Bearer"],
        }
    }
}
