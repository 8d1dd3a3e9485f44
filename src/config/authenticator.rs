//! Compiling authenticators: their keys, and what they expect of a token.

use std::time::Duration;

use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{
    Environment,
    compile::{FRAMING_HEADERS, is_header_name},
    decode::{Errors, Member, NonEmpty, good_items, index_path, member_path},
    error::ConfigErrorKind,
    policy::compile_claim_tests,
    schema::{AuthenticatorSchema, JwtSchema, OnMultipleSchema, SecretSchema, SourceSchema},
};
use crate::{
    auth::{Authenticator, Method, jwt::JwtMethod},
    credential::{OnMultiple, Source},
    crypto::{Algorithm, AlgorithmSet, VerificationKey},
    jose::{
        claims::{Accepted, AcceptedTypes, ClaimPath, Expectations},
        jwk::{Jwk, JwkErrorKind, KeySet},
    },
    json::Json,
};

/// Compiles one authenticator.
pub fn compile_authenticator(
    name: &str,
    schema: &AuthenticatorSchema,
    path: &str,
    environment: Environment<'_>,
    errors: &mut Errors,
) -> Option<Authenticator> {
    let AuthenticatorSchema::Jwt(schema) = schema;
    let sources = compile_sources(&schema.from, path, errors);
    let method = compile_jwt(schema, path, environment, errors);
    Some(Authenticator {
        name: name.to_owned(),
        sources: sources?,
        on_multiple: match schema.on_multiple.get() {
            Some(OnMultipleSchema::FirstSource) => OnMultiple::FirstSource,
            Some(OnMultipleSchema::Reject) | None => OnMultiple::Reject,
        },
        forward_credential: schema.forward_credential.get().copied().unwrap_or(false),
        method: Method::Jwt(method?),
    })
}

/// Reads the path of a claim: a dotted name, or `['an exact one']`.
pub fn compile_claim_path(text: &str, path: &str, errors: &mut Errors) -> Option<ClaimPath> {
    let steps = ClaimPath::parse(text);
    if steps.is_none() {
        let form = "the path of a claim: a name, names parted by dots, or ['an exact name']";
        errors.push(path.to_owned(), ConfigErrorKind::Invalid(form));
    }
    steps
}

/// Reads strings of which `*` stands for all.
pub fn compile_accepted(texts: &[Option<String>], path: &str, errors: &mut Errors) -> Accepted {
    for (index, _) in good_items(texts).filter(|(_, text)| text.is_empty()) {
        errors.push(index_path(path, index), ConfigErrorKind::Empty);
    }
    match is_star(texts, path, errors) {
        true => Accepted::Any,
        false => Accepted::These(texts.iter().flatten().cloned().collect()),
    }
}

/// Whether a list is the `*` that stands for all.
fn is_star(texts: &[Option<String>], path: &str, errors: &mut Errors) -> bool {
    let Some((index, _)) = good_items(texts).find(|(_, text)| *text == "*") else {
        return false;
    };
    if texts.len() > 1 {
        let rule = "`*` accepts any, so nothing can stand beside it";
        errors.push(index_path(path, index), ConfigErrorKind::Contradiction(rule));
    }
    true
}

fn compile_jwt(schema: &JwtSchema, path: &str, environment: Environment<'_>, errors: &mut Errors) -> Option<JwtMethod> {
    let place = |name: &str| member_path(path, name);
    let algorithms = compile_algorithms(schema, path, errors);
    let keys = compile_keys(schema, algorithms, path, environment, errors);
    let issuers = schema.issuer.get().map(|texts| compile_accepted(&texts.0, &place("issuer"), errors));
    let audiences = schema.audiences.get().map(|texts| compile_accepted(&texts.0, &place("audiences"), errors));

    let mut required = Vec::new();
    match schema.require.get() {
        None => required.push(ClaimPath::dotted("exp")),
        Some(claims) => {
            for (index, claim) in good_items(&claims.0) {
                required.extend(compile_claim_path(claim, &index_path(&place("require"), index), errors));
            }
        }
    }
    if schema.max_lifetime.get().is_some_and(Duration::is_zero) {
        errors.push(place("max_lifetime"), ConfigErrorKind::Invalid("longer than zero"));
    }
    let types = match schema.types.get() {
        None => AcceptedTypes::these(DEFAULT_TYPES),
        Some(types) if is_star(&types.0, &place("types"), errors) => AcceptedTypes::Any,
        Some(types) => AcceptedTypes::these(types.0.iter().flatten().map(String::as_str)),
    };
    let mut claim =
        |name: &str, text: &Member<String>| text.get().and_then(|text| compile_claim_path(text, &place(name), errors));
    let roles_claim = claim("roles_claim", &schema.roles_claim);
    let scopes_claim = claim("scopes_claim", &schema.scopes_claim);
    let tests = compile_claim_tests(&schema.claims, &place("claims"), errors);
    let expectations = Expectations {
        issuers: issuers?,
        audiences: audiences?,
        clock_skew: schema.clock_skew.or_default(DEFAULT_CLOCK_SKEW)?,
        required,
        max_lifetime: schema.max_lifetime.get().copied(),
        types,
        tests,
    };
    Some(JwtMethod {
        keys: keys?,
        algorithms: algorithms?,
        expectations,
        roles_claim: roles_claim.unwrap_or_else(|| ClaimPath::dotted("roles")),
        scopes_claims: match scopes_claim {
            Some(claim) => vec![claim],
            None => vec![ClaimPath::dotted("scope"), ClaimPath::dotted("scp")],
        },
    })
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
    errors: &mut Errors,
) -> Option<KeySet> {
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
    let set = schema.jwks.get().map(|jwks| compile_key_set(&jwks.inline, &member_path(path, "jwks.inline"), errors));
    let secret = schema.secret.get().map(|secret| {
        let path = member_path(path, "secret");
        let base64 = schema.secret_base64.or_default(false)?;
        let secret = compile_secret(secret, base64, &path, environment, errors)?;
        check_secret_length(schema, &secret, &path, errors)?;
        refused(VerificationKey::hmac(&secret), path, errors).map(KeySet::single)
    });
    let pem = schema.public_key_pem.get().map(|pem| {
        let key = VerificationKey::from_public_key_pem(pem);
        refused(key, member_path(path, "public_key_pem"), errors).map(KeySet::single)
    });
    let keys = set.or(secret).or(pem)??;
    // A public key and HS256, say: no token could ever be good.
    let usable = algorithms.map(|algorithms| keys.algorithms().intersection(algorithms));
    if usable.is_some_and(AlgorithmSet::is_empty) {
        errors.push(member_path(path, "algorithms"), ConfigErrorKind::AlgorithmsWithoutKey);
    }
    Some(keys)
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

fn compile_secret(
    schema: &SecretSchema,
    base64: bool,
    path: &str,
    environment: Environment<'_>,
    errors: &mut Errors,
) -> Option<Vec<u8>> {
    let text = match schema {
        SecretSchema::Text(text) => text.clone(),
        SecretSchema::Environment(name) => match environment(name).filter(|value| !value.is_empty()) {
            Some(value) => value,
            None => {
                errors.push(path.to_owned(), ConfigErrorKind::EnvironmentUnset { name: name.clone() });
                return None;
            }
        },
    };
    if !base64 {
        return Some(text.into_bytes());
    }
    let decoded = STANDARD.decode(&text).or_else(|_| URL_SAFE.decode(&text)).ok();
    if decoded.is_none() {
        errors.push(path.to_owned(), ConfigErrorKind::Invalid("base64"));
    }
    decoded
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

fn refused(
    key: Result<VerificationKey, crate::crypto::KeyError>,
    path: String,
    errors: &mut Errors,
) -> Option<VerificationKey> {
    match key {
        Ok(key) => Some(key),
        Err(error) => {
            errors.push(path, ConfigErrorKind::Key(JwkErrorKind::Key(error)));
            None
        }
    }
}

fn compile_sources(schema: &Member<NonEmpty<SourceSchema>>, path: &str, errors: &mut Errors) -> Option<Vec<Source>> {
    let schema = match schema {
        Member::Absent => {
            let name = "authorization".to_owned();
            return Some(vec![Source::Header { name, scheme: Some("Bearer".to_owned()) }]);
        }
        Member::Bad => return None,
        Member::Good(sources) => &sources.0,
    };
    let path = member_path(path, "from");
    let mut sources = Vec::new();
    for (index, source) in good_items(schema) {
        let path = index_path(&path, index);
        let source = compile_source(source, &path, errors);
        if source.as_ref().is_some_and(|source| sources.contains(source)) {
            errors.push(path, ConfigErrorKind::Repeated);
        }
        sources.extend(source);
    }
    (sources.len() == schema.len()).then_some(sources)
}

fn compile_source(schema: &SourceSchema, path: &str, errors: &mut Errors) -> Option<Source> {
    let mut error = |member: &str, kind| {
        errors.push(if member.is_empty() { path.to_owned() } else { member_path(path, member) }, kind);
        None
    };
    let name_form = "a name of letters, digits and the other characters of tokens";
    if !schema.scheme.is_absent() && schema.header.is_absent() {
        return error("scheme", ConfigErrorKind::Contradiction("only a header has a scheme"));
    }
    match (&schema.header, &schema.cookie, &schema.query) {
        (Member::Good(name), Member::Absent, Member::Absent) => {
            let name = name.to_ascii_lowercase();
            if !is_header_name(&name) {
                return error("header", ConfigErrorKind::Invalid(name_form));
            }
            if name == "cookie" || FRAMING_HEADERS.contains(&name.as_str()) {
                let rule = "not a header that carries a credential; a cookie is given as `cookie`";
                return error("header", ConfigErrorKind::Contradiction(rule));
            }
            if schema.scheme.get().is_some_and(|scheme| !is_header_name(scheme)) {
                return error("scheme", ConfigErrorKind::Invalid(name_form));
            }
            Some(Source::Header { name, scheme: schema.scheme.get().cloned() })
        }
        (Member::Absent, Member::Good(name), Member::Absent) if is_header_name(name) => {
            Some(Source::Cookie { name: name.clone() })
        }
        (Member::Absent, Member::Good(_), Member::Absent) => error("cookie", ConfigErrorKind::Invalid(name_form)),
        (Member::Absent, Member::Absent, Member::Good(name)) if !name.is_empty() => {
            Some(Source::Query { name: name.clone() })
        }
        (Member::Absent, Member::Absent, Member::Good(_)) => error("query", ConfigErrorKind::Empty),
        (Member::Bad, Member::Absent, Member::Absent)
        | (Member::Absent, Member::Bad, Member::Absent)
        | (Member::Absent, Member::Absent, Member::Bad) => None,
        _ => error("", ConfigErrorKind::Contradiction("give exactly one of `header`, `cookie` and `query`")),
    }
}

const DEFAULT_CLOCK_SKEW: Duration = Duration::from_secs(60);

const DEFAULT_TYPES: [&str; 3] = ["", "JWT", "at+jwt"];

const ALGORITHM_NAMES: [&str; 14] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
    "EdDSA", "Ed25519",
];

const LENIENT_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT_PADDING);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT_PADDING);
