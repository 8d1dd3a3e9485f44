//! Compiling introspection authenticators.

use std::{num::NonZeroUsize, time::Duration};

use super::{
    Environment,
    authenticator::ClaimsSchema,
    compile::MOST_CACHED_TOKENS,
    decode::{Errors, Member, member_path},
    error::ConfigErrorKind,
    provider::{compile_endpoint, compile_timeout},
    schema::{IntrospectionCacheSchema, IntrospectionSchema},
    secret::compile_secret,
};
use crate::{
    auth::introspection::{ClientCredentials, IntrospectionMethod},
    jose::claims::Accepted,
};

/// Compiles what is peculiar to introspection. Which issuers' JWTs are not sent is known only when all authenticators are.
pub fn compile_introspection(
    schema: &IntrospectionSchema,
    path: &str,
    environment: Environment<'_>,
    errors: &mut Errors,
) -> Option<IntrospectionMethod> {
    let place = |name: &str| member_path(path, name);
    let endpoint = compile_endpoint(&schema.url, &schema.cluster, path, errors);
    if schema.client_id.get().is_some_and(String::is_empty) {
        errors.push(place("client_id"), ConfigErrorKind::Empty);
    }
    let secret = schema.client_secret.get();
    let secret = secret.and_then(|secret| compile_secret(secret, false, &place("client_secret"), environment, errors));
    let timeout = compile_timeout(&schema.timeout, DEFAULT_TIMEOUT, place("timeout"), errors);
    let claims = ClaimsSchema {
        issuer: &schema.issuer,
        audiences: &schema.audiences,
        clock_skew: &schema.clock_skew,
        require: &schema.require,
        claims: &schema.claims,
        roles_claim: &schema.roles_claim,
        scopes_claim: &schema.scopes_claim,
    };
    let expectations = claims.compile_expectations(&[], path, errors);
    let grants = claims.compile_grants(path, errors);
    let cache = compile_cache(&schema.cache, &place("cache"), errors);
    let (ttl, negative_ttl, entries) = cache?;
    Some(IntrospectionMethod {
        place: path.to_owned(),
        endpoint: endpoint?,
        client: ClientCredentials::new(schema.client_id.get()?, &secret?),
        timeout: timeout?,
        expectations: expectations?,
        grants,
        ttl,
        negative_ttl,
        entries,
        jwt_issuers: Accepted::These(Vec::new()),
    })
}

fn compile_cache(
    schema: &Member<IntrospectionCacheSchema>,
    path: &str,
    errors: &mut Errors,
) -> Option<(Duration, Duration, NonZeroUsize)> {
    let schema = match schema {
        Member::Absent => return Some((DEFAULT_TTL, DEFAULT_NEGATIVE_TTL, DEFAULT_ENTRIES)),
        Member::Bad => return None,
        Member::Good(schema) => schema,
    };
    let entries = schema.entries.or_default(DEFAULT_ENTRIES)?;
    if entries > MOST_CACHED_TOKENS {
        let form = "at most 1000000: each takes some kilobytes of each worker's memory";
        errors.push(member_path(path, "entries"), ConfigErrorKind::Invalid(form));
        return None;
    }
    let (ttl, negative_ttl) =
        (schema.ttl.or_default(DEFAULT_TTL), schema.negative_ttl.or_default(DEFAULT_NEGATIVE_TTL));
    Some((ttl?, negative_ttl?, entries))
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);
const DEFAULT_TTL: Duration = Duration::from_secs(30);
const DEFAULT_NEGATIVE_TTL: Duration = Duration::from_secs(5);
const DEFAULT_ENTRIES: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
