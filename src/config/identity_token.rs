//! Compiling the identity token: its key, and what routes have to know of it.

use std::time::Duration;

use super::{
    Environment,
    compile::{OVERRIDE_HEADERS, is_header_name},
    decode::{Errors, Member, member_path},
    error::ConfigErrorKind,
    mapping::{is_reserved_header, is_shared_header},
    schema::{AuthSchema, GatewaySchema, IdentityTokenSchema, SigningAlgorithmSchema},
    secret::compile_secret,
};
use crate::{
    crypto::{SigningKey, SigningKeyError},
    identity_token::Issuer,
    request::folded_name,
};

/// What routes have to know of the identity token.
pub struct IdentityTokenNames {
    /// Its header, folded.
    pub header: String,
    /// Whom it is for on every route.
    audience: Option<String>,
}

impl IdentityTokenNames {
    /// None where there is no identity token, or its header could not be read.
    pub fn of(schema: &Member<IdentityTokenSchema>) -> Option<Self> {
        let schema = schema.get()?;
        let header = folded_name(schema.header.get()?).into_owned();
        Some(Self { header, audience: schema.audience.get().cloned() })
    }

    /// Whom it is for on a route that forwards to this server: the name by which routes call it, so that no other service
    /// takes it.
    pub fn audience(&self, server: Option<&String>) -> Option<String> {
        self.audience.as_ref().or(server).cloned()
    }
}

/// Compiles the identity token: `Some(None)` where there is none, `None` where it has an error.
pub fn compile_identity_token(
    schema: &GatewaySchema,
    environment: Environment<'_>,
    errors: &mut Errors,
) -> Option<Option<Issuer>> {
    let token = match &schema.identity_token {
        Member::Absent => return Some(None),
        Member::Bad => return None,
        Member::Good(token) => token,
    };
    let place = |name: &str| member_path(PLACE, name);
    if let Some(kind) = token.header.get().and_then(|header| header_error(header)) {
        errors.push(place("header"), kind);
    }
    for (name, member) in [("audience", &token.audience), ("issuer", &token.issuer)] {
        if member.get().is_some_and(String::is_empty) {
            errors.push(place(name), ConfigErrorKind::Empty);
        }
    }
    if token.audience.is_absent()
        && let Some(route) = route_without_audience(schema)
    {
        errors.push(place("audience"), ConfigErrorKind::AudienceRequired { route });
    }
    let ttl = token.ttl.or_default(DEFAULT_TTL);
    if ttl.is_some_and(|ttl| !(Duration::from_secs(1)..=LONGEST_TTL).contains(&ttl) || ttl.subsec_nanos() != 0) {
        errors.push(place("ttl"), ConfigErrorKind::Invalid("whole seconds, from 1s to 1h"));
    }
    let key = compile_key(token, &place("key"), environment, errors);
    let issuer = token.issuer.or_default(DEFAULT_ISSUER.to_owned());
    Some(Some(Issuer::new(token.header.get()?.to_ascii_lowercase().into(), issuer?, ttl?, key?)))
}

fn compile_key(
    token: &IdentityTokenSchema,
    path: &str,
    environment: Environment<'_>,
    errors: &mut Errors,
) -> Option<SigningKey> {
    let secret = token.key.get().and_then(|key| compile_secret(key, false, path, environment, errors))?;
    // Both forms of a secret are text.
    let pem = std::str::from_utf8(&secret).map_err(|_| SigningKeyError::NotPem);
    let key = match token.algorithm.get()? {
        SigningAlgorithmSchema::Hs256 => SigningKey::hs256(&secret),
        SigningAlgorithmSchema::Es256 => pem.and_then(SigningKey::es256),
        SigningAlgorithmSchema::EdDsa => pem.and_then(SigningKey::ed25519),
    };
    key.map_err(|error| errors.push(path.to_owned(), ConfigErrorKind::SigningKey(error))).ok()
}

/// Why a header cannot hold the token, which is removed from every request and set on some.
fn header_error(name: &str) -> Option<ConfigErrorKind> {
    let folded = folded_name(name);
    if !is_header_name(name) {
        return Some(ConfigErrorKind::Invalid("a header name: letters, digits and the other characters of tokens"));
    }
    let taken = is_reserved_header(&folded) || is_shared_header(&folded) || OVERRIDE_HEADERS.contains(&&*folded);
    let rule = "has another meaning, and would be removed from every request; name a header that nothing else uses";
    taken.then_some(ConfigErrorKind::Contradiction(rule))
}

/// The first route that has callers and no server.
fn route_without_audience(schema: &GatewaySchema) -> Option<usize> {
    let paths = &schema.paths.get()?.0;
    paths.iter().position(|path| {
        path.as_ref().is_some_and(|path| {
            let has_callers = path.auth.get().is_some_and(|auth| !matches!(auth, AuthSchema::Public));
            has_callers && path.integration.is_absent()
        })
    })
}

const PLACE: &str = "identity_token";
const DEFAULT_ISSUER: &str = "gatepost";
const DEFAULT_TTL: Duration = Duration::from_secs(30);
const LONGEST_TTL: Duration = Duration::from_secs(3600);
