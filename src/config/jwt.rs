//! Compiling JWT authenticators: their keys and algorithms.

use std::time::Duration;

use super::{
    Environment,
    authenticator::{ClaimsSchema, is_star},
    decode::{Errors, Member, good_items, index_path, member_path},
    error::ConfigErrorKind,
    provider::ProviderSources,
    revocation::compile_revocation,
    schema::{DpopSchema, JwksSchema, JwtSchema},
    secret::compile_secret,
};
use crate::{
    auth::{
        dpop::{Dpop, DpopMode},
        jwt::{JwtMethod, Keys},
    },
    crypto::{Algorithm, AlgorithmSet, KeyError, VerificationKey},
    jose::{
        claims::{AcceptedTypes, Expectations},
        dpop::Origin,
        jwk::{Jwk, JwkErrorKind, KeySet},
    },
    json::Json,
};

/// Compiles what is peculiar to JWTs. Whose tokens are another one's business is known only when all authenticators are.
pub fn compile_jwt(
    schema: &JwtSchema,
    path: &str,
    environment: Environment<'_>,
    provider_sources: &mut ProviderSources,
    errors: &mut Errors,
) -> Option<JwtMethod> {
    let place = |name: &str| member_path(path, name);
    let algorithms = compile_algorithms(schema, path, errors);
    let keys = compile_keys(schema, algorithms, path, environment, provider_sources, errors);
    let claims = ClaimsSchema {
        issuer: &schema.issuer,
        audiences: &schema.audiences,
        clock_skew: &schema.clock_skew,
        require: &schema.require,
        claims: &schema.claims,
        roles_claim: &schema.roles_claim,
        scopes_claim: &schema.scopes_claim,
    };
    let expectations = claims.compile_expectations(&["exp"], path, errors);
    if schema.max_lifetime.get().is_some_and(Duration::is_zero) {
        errors.push(place("max_lifetime"), ConfigErrorKind::Invalid("longer than zero"));
    }
    let types = match schema.types.get() {
        None => AcceptedTypes::these(DEFAULT_TYPES),
        Some(types) if is_star(&types.0, &place("types"), errors) => AcceptedTypes::Any,
        Some(types) => AcceptedTypes::these(types.0.iter().flatten().map(String::as_str)),
    };
    let grants = claims.compile_grants(path, errors);
    let revocation = match &schema.revocation {
        Member::Absent => Some(None),
        Member::Bad => None,
        Member::Good(revocation) => {
            compile_revocation(revocation, &place("revocation"), provider_sources, errors).map(Some)
        }
    };
    let max_lifetime = schema.max_lifetime.get().copied();
    let dpop = compile_dpop(schema, path, errors);
    let expectations = Expectations { max_lifetime, types, ..expectations? };
    let (keys, algorithms, dpop, revocation) = (keys?, algorithms?, dpop?, revocation?);
    Some(JwtMethod { keys, algorithms, expectations, grants, dpop, foreign_issuers: Vec::new(), revocation })
}

fn compile_dpop(schema: &JwtSchema, path: &str, errors: &mut Errors) -> Option<Dpop> {
    let mode = dpop_mode(schema);
    let origin = schema.dpop_origin.get().map(|text| {
        let origin = Origin::parse(text);
        if origin.is_none() {
            let form = "an origin and nothing after it: https://api.example.com";
            errors.push(member_path(path, "dpop_origin"), ConfigErrorKind::Invalid(form));
        }
        origin
    });
    if mode == DpopMode::Required
        && let Some(sources) = schema.from.get()
        && sources
            .0
            .iter()
            .flatten()
            .all(|source| source.scheme.get().is_some_and(|s| s.eq_ignore_ascii_case("Bearer")))
    {
        let rule = "reads bearer tokens alone, and `dpop` requires others: read one with `\"scheme\": \"DPoP\"`";
        errors.push(member_path(path, "from"), ConfigErrorKind::Contradiction(rule));
    }
    Some(Dpop { mode, origin: origin.flatten() })
}

/// Which tokens an authenticator accepts.
pub fn dpop_mode(schema: &JwtSchema) -> DpopMode {
    match schema.dpop.get() {
        None | Some(DpopSchema::Off) => DpopMode::Off,
        Some(DpopSchema::Allowed) => DpopMode::Allowed,
        Some(DpopSchema::Required) => DpopMode::Required,
    }
}

fn compile_algorithms(schema: &JwtSchema, path: &str, errors: &mut Errors) -> Option<AlgorithmSet> {
    let names = match &schema.algorithms {
        Member::Absent => return Some(AlgorithmSet::ALL),
        Member::Bad => return None,
        Member::Good(names) => names,
    };
    let mut set = AlgorithmSet::EMPTY;
    let mut good = names.0.iter().all(Option::is_some);
    for (index, name) in good_items(&names.0) {
        match Algorithm::from_name(name) {
            Some(algorithm) => set.insert(algorithm),
            None => {
                let path = index_path(&member_path(path, "algorithms"), index);
                errors.push(path, ConfigErrorKind::NotOneOf { known: &ALGORITHM_NAMES });
                good = false;
            }
        }
    }
    good.then_some(set)
}

fn compile_keys(
    schema: &JwtSchema,
    algorithms: Option<AlgorithmSet>,
    path: &str,
    environment: Environment<'_>,
    provider_sources: &mut ProviderSources,
    errors: &mut Errors,
) -> Option<Keys> {
    let given = [!schema.jwks.is_absent(), !schema.secret.is_absent(), !schema.public_key_pem.is_absent()];
    let count = given.iter().filter(|given| **given).count();
    if count != 1 {
        let rule = "give exactly one of `jwks`, `secret` and `public_key_pem`";
        errors.push(path.to_owned(), ConfigErrorKind::Contradiction(rule));
    }
    if !schema.secret_base64.is_absent() && schema.secret.is_absent() {
        let rule = "says how `secret` is written, and there is none";
        errors.push(member_path(path, "secret_base64"), ConfigErrorKind::Contradiction(rule));
    }
    let jwks = schema.jwks.get().map(|jwks| compile_jwks(jwks, &member_path(path, "jwks"), provider_sources, errors));
    let secret = schema.secret.get().map(|secret| {
        let path = member_path(path, "secret");
        let base64 = schema.secret_base64.or_default(false)?;
        let secret = compile_secret(secret, base64, &path, environment, errors)?;
        check_secret_length(schema, &secret, &path, errors)?;
        refused(VerificationKey::hmac(&secret), path, errors).map(KeySet::single).map(Keys::Fixed)
    });
    let pem = schema.public_key_pem.get().map(|pem| {
        let key = VerificationKey::from_public_key_pem(pem);
        refused(key, member_path(path, "public_key_pem"), errors).map(KeySet::single).map(Keys::Fixed)
    });
    let keys = jwks.or(secret).or(pem)??;
    // A public key and HS256, say: no token could ever be good.
    if let (Keys::Fixed(keys), Some(algorithms)) = (&keys, algorithms)
        && keys.algorithms().intersection(algorithms).is_empty()
    {
        errors.push(member_path(path, "algorithms"), ConfigErrorKind::AlgorithmsWithoutKey);
    }
    Some(keys)
}

fn compile_jwks(
    schema: &JwksSchema,
    path: &str,
    provider_sources: &mut ProviderSources,
    errors: &mut Errors,
) -> Option<Keys> {
    match (&schema.inline, &schema.remote, &schema.discovery) {
        (Member::Good(keys), Member::Absent, Member::Absent) => {
            compile_key_set(keys, &member_path(path, "inline"), errors).map(Keys::Fixed)
        }
        (Member::Absent, Member::Good(remote), Member::Absent) => {
            provider_sources.compile_remote(remote, &member_path(path, "remote"), errors).map(Keys::Remote)
        }
        (Member::Absent, Member::Absent, Member::Good(discovery)) => {
            provider_sources.compile_discovery(discovery, &member_path(path, "discovery"), errors).map(Keys::Remote)
        }
        (Member::Bad, Member::Absent, Member::Absent)
        | (Member::Absent, Member::Bad, Member::Absent)
        | (Member::Absent, Member::Absent, Member::Bad) => None,
        _ => {
            let rule = "give exactly one of `inline`, `remote` and `discovery`";
            errors.push(path.to_owned(), ConfigErrorKind::Contradiction(rule));
            None
        }
    }
}

fn compile_key_set(inline: &Json, path: &str, errors: &mut Errors) -> Option<KeySet> {
    let keys_path = member_path(path, "keys");
    let keys = match inline {
        Json::Object(_) => inline.get("keys"),
        _ => {
            errors.push(path.to_owned(), ConfigErrorKind::WrongType { expected: "a JWK set: an object with `keys`" });
            return None;
        }
    };
    let keys = match keys {
        Some(Json::Array(keys)) if !keys.is_empty() => keys,
        Some(Json::Array(_)) => {
            errors.push(keys_path, ConfigErrorKind::Empty);
            return None;
        }
        Some(_) => {
            errors.push(keys_path, ConfigErrorKind::WrongType { expected: "a list" });
            return None;
        }
        None => {
            errors.push(keys_path, ConfigErrorKind::Required);
            return None;
        }
    };
    let mut good = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        let path = index_path(&keys_path, index);
        match Jwk::parse(key) {
            Ok(key) => good.push(key),
            Err(error) => {
                let path = error.member.map_or_else(|| path.clone(), |member| member_path(&path, member));
                errors.push(path, ConfigErrorKind::Key(error.kind));
            }
        }
    }
    (good.len() == keys.len()).then(|| KeySet::new(good))
}

/// Refuses a secret that is shorter than the hash of an algorithm that is asked for (RFC 7518 §3.2).
fn check_secret_length(schema: &JwtSchema, secret: &[u8], path: &str, errors: &mut Errors) -> Option<()> {
    let names = schema.algorithms.get().into_iter().flat_map(|names| names.0.iter().flatten());
    for algorithm in names.filter_map(|name| Algorithm::from_name(name)) {
        let least = match algorithm {
            Algorithm::Hs384 => 48,
            Algorithm::Hs512 => 64,
            _ => continue, // 32 bytes are asked for in any case
        };
        if secret.len() < least && secret.len() >= 32 {
            let kind = ConfigErrorKind::SecretTooShort { algorithm, bytes: secret.len() };
            errors.push(path.to_owned(), kind);
            return None;
        }
    }
    Some(())
}

fn refused(key: Result<VerificationKey, KeyError>, path: String, errors: &mut Errors) -> Option<VerificationKey> {
    match key {
        Ok(key) => Some(key),
        Err(error) => {
            errors.push(path, ConfigErrorKind::Key(JwkErrorKind::Key(error)));
            None
        }
    }
}

const DEFAULT_TYPES: [&str; 3] = ["", "JWT", "at+jwt"];

/// What `algorithms` may name.
pub const ALGORITHM_NAMES: [&str; 14] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
    "EdDSA", "Ed25519",
];
