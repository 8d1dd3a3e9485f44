//! Compiling authenticators of signed requests: their scheme, their secrets, and how long a body may be and take.

use std::{collections::HashSet, num::NonZeroUsize, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    Environment,
    api_key::{compile_expiry, compile_grant},
    decode::{Errors, Member, NonEmpty, good_items, index_path, member_path},
    error::ConfigErrorKind,
    schema::{HmacSchema, SecretSchema, SignatureSchemeSchema, SigningKeySchema},
    secret::compile_secret,
};
use crate::auth::hmac::{HmacMethod, Scheme, Secret};

/// The scheme, or any where it has an error.
pub fn scheme_of(schema: &HmacSchema) -> Scheme {
    match schema.scheme.get() {
        Some(SignatureSchemeSchema::GitHub) | None => Scheme::GitHub,
        Some(SignatureSchemeSchema::Stripe) => Scheme::Stripe,
        Some(SignatureSchemeSchema::Slack) => Scheme::Slack,
        Some(SignatureSchemeSchema::Shopify) => Scheme::Shopify,
        Some(SignatureSchemeSchema::StandardWebhooks) => Scheme::StandardWebhooks,
        Some(SignatureSchemeSchema::Generic) => Scheme::Generic,
    }
}

/// Compiles one authenticator. `None` means that an error was reported.
pub fn compile_hmac(
    schema: &HmacSchema,
    path: &str,
    environment: Environment<'_>,
    errors: &mut Errors,
) -> Option<HmacMethod> {
    let scheme = scheme_of(schema);
    let is_known = schema.scheme.get().is_some();
    let secrets = compile_secrets(schema, scheme, path, environment, errors).filter(|_| is_known);
    if is_known && !scheme.has_time() && !schema.tolerance.is_absent() {
        let rule = "has no effect: the scheme does not say when a request was signed";
        errors.push(member_path(path, "tolerance"), ConfigErrorKind::Contradiction(rule));
    }
    let mut time = |name: &str, value: &Member<Duration>, default, most: Duration, form| {
        let value = value.or_default(default)?;
        if value.is_zero() || value > most {
            errors.push(member_path(path, name), ConfigErrorKind::Invalid(form));
            return None;
        }
        Some(value)
    };
    let form = "from 1ms to 24h";
    let tolerance = time("tolerance", &schema.tolerance, DEFAULT_TOLERANCE, MOST_TOLERANCE, form);
    let form = "from 1ms to 1h";
    let body_timeout = time("body_timeout", &schema.body_timeout, DEFAULT_BODY_TIMEOUT, MOST_BODY_TIMEOUT, form);
    let max_body = schema.max_body.or_default(DEFAULT_MAX_BODY).map(NonZeroUsize::get);
    let max_body = max_body.filter(|bytes| {
        if *bytes > MOST_MAX_BODY {
            let form = "at most 67108864, 64 MiB: the host holds a body until it is verified";
            errors.push(member_path(path, "max_body"), ConfigErrorKind::Invalid(form));
        }
        *bytes <= MOST_MAX_BODY
    });
    Some(HmacMethod {
        scheme,
        secrets: secrets?,
        tolerance: tolerance?,
        max_body: max_body?,
        body_timeout: body_timeout?,
    })
}

fn compile_secrets(
    schema: &HmacSchema,
    scheme: Scheme,
    path: &str,
    environment: Environment<'_>,
    errors: &mut Errors,
) -> Option<Vec<Secret>> {
    let (wanted, unwanted, has_unwanted, rule) = match scheme {
        Scheme::Generic => {
            ("keys", "secrets", !schema.secrets.is_absent(), "`generic` has `keys`, which requests name")
        }
        _ => ("secrets", "keys", !schema.keys.is_absent(), "only `generic` has keys; this scheme has `secrets`"),
    };
    if schema.scheme.get().is_some() && has_unwanted {
        errors.push(member_path(path, unwanted), ConfigErrorKind::Contradiction(rule));
    }
    let path = member_path(path, wanted);
    match (scheme, &schema.secrets, &schema.keys) {
        (Scheme::Generic, _, Member::Good(keys)) => compile_keys(keys, &path, environment, errors),
        (Scheme::Generic, _, Member::Bad) | (_, Member::Bad, _) => None,
        (Scheme::Generic, _, Member::Absent) | (_, Member::Absent, _) => {
            if schema.scheme.get().is_some() {
                errors.push(path, ConfigErrorKind::Required);
            }
            None
        }
        (_, Member::Good(secrets), _) => compile_shared(secrets, scheme, &path, environment, errors),
    }
}

/// Secrets any of which may have been used.
fn compile_shared(
    schema: &NonEmpty<SecretSchema>,
    scheme: Scheme,
    path: &str,
    environment: Environment<'_>,
    errors: &mut Errors,
) -> Option<Vec<Secret>> {
    if schema.0.len() > MOST_SECRETS {
        let form = "at most 8 secrets: a body is hashed with each of them";
        errors.push(path.to_owned(), ConfigErrorKind::Invalid(form));
    }
    let mut known = HashSet::new();
    let mut secrets = Vec::new();
    for (index, secret) in good_items(&schema.0) {
        let path = index_path(path, index);
        let Some(secret) = compile_secret(secret, false, &path, environment, errors) else {
            continue;
        };
        let Some(secret) = (match scheme {
            Scheme::StandardWebhooks => standard_webhooks_secret(&secret),
            _ => Some(secret),
        }) else {
            let form = "`whsec_` and then base64, or base64 alone, as its sender shows it";
            errors.push(path, ConfigErrorKind::Invalid(form));
            continue;
        };
        secrets.push(Secret::shared(&secret));
        if !known.insert(secret) {
            errors.push(path, ConfigErrorKind::Repeated);
        }
    }
    (secrets.len() == schema.0.len()).then_some(secrets)
}

/// The bytes that the text stands for: with its prefix "for easy identification", or without.
fn standard_webhooks_secret(text: &[u8]) -> Option<Vec<u8>> {
    let secret = STANDARD.decode(text.strip_prefix(b"whsec_").unwrap_or(text)).ok()?;
    (!secret.is_empty()).then_some(secret)
}

fn compile_keys(
    schema: &NonEmpty<SigningKeySchema>,
    path: &str,
    environment: Environment<'_>,
    errors: &mut Errors,
) -> Option<Vec<Secret>> {
    let mut ids = HashSet::new();
    let mut keys = Vec::new();
    for (index, key) in good_items(&schema.0) {
        let path = index_path(path, index);
        let id = key.id.get().filter(|id| {
            let kind = match id.as_str() {
                "" => Some(ConfigErrorKind::Empty),
                id if !is_key_id(id) => Some(ConfigErrorKind::Invalid(KEY_ID_FORM)),
                id if !ids.insert(id.to_owned()) => Some(ConfigErrorKind::Repeated),
                _ => None,
            };
            let is_good = kind.is_none();
            kind.into_iter().for_each(|kind| errors.push(member_path(&path, "id"), kind));
            is_good
        });
        let place = member_path(&path, "secret");
        let secret = key.secret.get().and_then(|secret| compile_secret(secret, false, &place, environment, errors));
        let grant = compile_grant(&key.owner, &key.scopes, &key.roles, &key.rate_limit, &path, errors);
        let expires = compile_expiry(&key.expires_at);
        if let (Some(id), Some(secret), Some(grant), Some(expires)) = (id, secret, grant, expires) {
            keys.push(Secret::of_key(id.clone(), &secret, grant, expires));
        }
    }
    keys.sort_by(|one: &Secret, other| one.key_id().cmp(&other.key_id()));
    (keys.len() == schema.0.len()).then_some(keys)
}

/// Whether an id can stand in the `Authorization` header, and in one that forwards it.
fn is_key_id(id: &str) -> bool {
    id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:@/+".contains(&byte))
}

const KEY_ID_FORM: &str = "at most 128 letters, digits and `-._~:@/+`: requests name it in a header";
/// Rotation needs two; one more each for whoever forgot the last one.
const MOST_SECRETS: usize = 8;
const MOST_MAX_BODY: usize = 64 * 1024 * 1024;
const MOST_TOLERANCE: Duration = Duration::from_secs(24 * 3600);
const MOST_BODY_TIMEOUT: Duration = Duration::from_secs(3600);
const DEFAULT_TOLERANCE: Duration = Duration::from_secs(300);
const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_MAX_BODY: NonZeroUsize = NonZeroUsize::new(1024 * 1024).unwrap();
