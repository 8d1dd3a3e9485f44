//! Warnings about who verifies, and with what.

use std::time::Duration;

use gatepost::auth::Method;
use gatepost::auth::hmac::{HmacMethod, Scheme};
use gatepost::auth::introspection::IntrospectionMethod;
use gatepost::auth::jwt::JwtMethod;
use gatepost::auth::mtls::{MtlsMethod, Pattern};
use gatepost::auth::revocation::WithoutList;
use gatepost::config::gateway::Unmatched;
use gatepost::credential::{OnMultiple, Source};
use gatepost::engine::UnixTime;
use gatepost::jose::claims::{Accepted, AcceptedTypes, ClaimPath, Expectations};
use serde_json::Value;

use super::code::Code;
use super::warning::{Subject, Warnings};
use crate::access::claim_text;
use crate::durations::shown;
use crate::view::{AuthenticatorView, counted, items};

pub fn review(subject: &Subject<'_>, warnings: &mut Warnings) {
    let policies = subject.view.gateway.routes.iter().filter_map(|route| route.policy.as_ref());
    let mut used: Vec<usize> = policies.flat_map(|policy| &policy.readers).map(|id| id.0).collect();
    if let Unmatched::Authenticate(policy) = &subject.view.gateway.unmatched {
        used.extend(policy.readers.iter().map(|id| id.0));
    }
    for (index, authenticator) in subject.view.authenticators().enumerate() {
        let place = &authenticator.place;
        if !used.contains(&index) {
            warnings.push(Code::UnusedAuthenticator, place, "no route asks it");
        }
        review_sources(&authenticator, warnings);
        match &authenticator.compiled.method {
            Method::Jwt(method) => review_jwt(method, &authenticator, warnings),
            Method::Introspection(method) => review_introspection(method, &authenticator, warnings),
            Method::ApiKey(_) => review_expiries(&authenticator, subject.now, warnings),
            Method::Mtls(method) => review_certificates(method, &authenticator, warnings),
            Method::Hmac(method) => {
                review_signatures(method, &authenticator, subject, warnings);
                review_expiries(&authenticator, subject.now, warnings);
            }
        }
    }
    for (place, source) in subject.view.gateway.key_sources.iter().chain(&subject.view.gateway.revocation_sources) {
        let max_stale = source.timings.max_stale;
        if max_stale > DAY {
            let message = format!("{} after the last fetch that succeeded", shown(max_stale));
            warnings.push(Code::LongMaxStale, format!("{place}.max_stale"), message);
        }
    }
}

fn review_sources(authenticator: &AuthenticatorView<'_>, warnings: &mut Warnings) {
    let AuthenticatorView { compiled, written, place } = authenticator;
    for (index, source) in compiled.sources.iter().enumerate() {
        if let Source::Query { name } = source {
            let message = format!("the query parameter `{name}` is read");
            warnings.push(Code::CredentialInQuery, format!("{place}.from[{index}]"), message);
        }
    }
    if compiled.on_multiple == OnMultiple::FirstSource && compiled.sources.len() > 1 {
        warnings.push(Code::FirstSource, format!("{place}.on_multiple"), "differing credentials are not refused");
    }
    if compiled.forward_credential {
        warnings.push(Code::ForwardCredential, format!("{place}.forward_credential"), "services get the credential");
    }
    for name in ["secret", "client_secret"] {
        review_secret(&written[name], &format!("{place}.{name}"), warnings);
    }
    for (index, secret) in items(&written["secrets"]).enumerate() {
        review_secret(secret, &format!("{place}.secrets[{index}]"), warnings);
    }
    for (index, key) in items(&written["keys"]).enumerate() {
        review_secret(&key["secret"], &format!("{place}.keys[{index}].secret"), warnings);
    }
}

/// Warns of a secret that is written out.
pub fn review_secret(secret: &Value, place: &str, warnings: &mut Warnings) {
    if secret.is_string() {
        warnings.push(Code::InlineSecret, place, "written out");
    }
}

fn review_jwt(method: &JwtMethod, authenticator: &AuthenticatorView<'_>, warnings: &mut Warnings) {
    let place = &authenticator.place;
    let JwtMethod { expectations, revocation, .. } = method;
    review_claims(expectations, authenticator, warnings);
    if expectations.issuers == Accepted::Any {
        warnings.push(Code::AnyIssuer, format!("{place}.issuer"), "`*`: any issuer");
    }
    if expectations.types == AcceptedTypes::Any {
        warnings.push(Code::AnyType, format!("{place}.types"), "`*`: any type of token");
    }
    let exp = ClaimPath::dotted("exp");
    if !expectations.required.contains(&exp) && expectations.max_lifetime.is_none() {
        warnings.push(Code::NoExpiry, format!("{place}.require"), "does not name `exp`");
    }
    if revocation.is_some_and(|revocation| revocation.without_list == WithoutList::Allow) {
        let place = format!("{place}.revocation.unavailable");
        warnings.push(Code::RevocationUnavailableAllow, place, "`allow`: tokens are accepted without a list");
    }
}

fn review_introspection(method: &IntrospectionMethod, authenticator: &AuthenticatorView<'_>, warnings: &mut Warnings) {
    review_claims(&method.expectations, authenticator, warnings);
    if method.ttl > LONG {
        let message = format!("answers are believed for {}", shown(method.ttl));
        warnings.push(Code::LongIntrospectionCache, format!("{}.cache.ttl", authenticator.place), message);
    }
}

fn review_claims(expectations: &Expectations, authenticator: &AuthenticatorView<'_>, warnings: &mut Warnings) {
    let place = &authenticator.place;
    let names_client = expectations.tests.iter().any(|test| CLIENT_CLAIMS.contains(&claim_text(&test.claim).as_str()));
    if expectations.audiences == Accepted::Any && !names_client {
        warnings.push(Code::AnyAudience, format!("{place}.audiences"), "`*`: any audience");
    }
    if expectations.clock_skew > LONG {
        warnings.push(Code::LongClockSkew, format!("{place}.clock_skew"), shown(expectations.clock_skew));
    }
}

/// Keys that have ended, or will soon: one warning for all of them, as there may be a hundred thousand.
fn review_expiries(authenticator: &AuthenticatorView<'_>, now: UnixTime, warnings: &mut Warnings) {
    let soon = now.saturating_add(30 * DAY);
    let (mut expired, mut expiring) = (Vec::new(), Vec::new());
    for key in items(&authenticator.written["keys"]) {
        let expires = key["expires_at"].as_str().and_then(UnixTime::parse_rfc3339);
        let id = key["id"].as_str().unwrap_or_default();
        match expires {
            Some(expires) if expires <= now => expired.push(id),
            Some(expires) if expires <= soon => expiring.push(id),
            _ => {}
        }
    }
    for (code, ids) in [(Code::ApiKeyExpired, expired), (Code::ApiKeyExpiresSoon, expiring)] {
        if !ids.is_empty() {
            let named = ids.iter().take(MOST_NAMED).map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
            let more = if ids.len() > MOST_NAMED { ", ..." } else { "" };
            let message = format!("{}: {named}{more}", counted(ids.len(), "key"));
            warnings.push(code, format!("{}.keys", authenticator.place), message);
        }
    }
}

fn review_certificates(method: &MtlsMethod, authenticator: &AuthenticatorView<'_>, warnings: &mut Warnings) {
    let is_open_uri: fn(&str) -> bool = |prefix| {
        let authority = prefix.split_once("://").map(|(_, rest)| rest);
        authority.is_none_or(|rest| !rest.contains('/'))
    };
    type IsOpen = fn(&str) -> bool;
    // What follows a host name's beginning is another domain.
    let lists: [(&str, &[Pattern], IsOpen); 3] = [
        ("uri_sans", &method.uri_sans, is_open_uri),
        ("dns_sans", &method.dns_sans, |_| true),
        ("subjects", &method.subjects, str::is_empty),
    ];
    for (name, patterns, is_open) in lists {
        for (index, pattern) in patterns.iter().enumerate() {
            if let Pattern::Prefix(prefix) = pattern
                && is_open(prefix)
            {
                let place = format!("{}.{name}[{index}]", authenticator.place);
                warnings.push(Code::OpenCertificatePattern, place, format!("`{prefix}*`"));
            }
        }
    }
}

fn review_signatures(
    method: &HmacMethod,
    authenticator: &AuthenticatorView<'_>,
    subject: &Subject<'_>,
    warnings: &mut Warnings,
) {
    let AuthenticatorView { written, place, .. } = authenticator;
    if method.scheme.has_time() && method.tolerance > LONG {
        warnings.push(Code::LongTolerance, format!("{place}.tolerance"), shown(method.tolerance));
    }
    let shared = items(&written["secrets"]).enumerate().map(|(index, secret)| (format!("secrets[{index}]"), secret));
    let keys = items(&written["keys"]).enumerate();
    let keys = keys.map(|(index, key)| (format!("keys[{index}].secret"), &key["secret"]));
    for (name, secret) in shared.chain(keys) {
        let text = match secret {
            Value::String(text) => Some(text.clone()),
            named => named["env"].as_str().and_then(|name| subject.configuration.variable(name)),
        };
        let bytes = text.map(|text| match method.scheme {
            // Base64 stands for three quarters of its length.
            Scheme::StandardWebhooks => {
                text.strip_prefix("whsec_").unwrap_or(&text).trim_end_matches('=').len() * 3 / 4
            }
            _ => text.len(),
        });
        if let Some(bytes) = bytes.filter(|bytes| *bytes < SHORTEST_SECRET) {
            warnings.push(Code::ShortSecret, format!("{place}.{name}"), counted(bytes, "byte"));
        }
    }
}

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Beyond what clocks and caches need.
const LONG: Duration = Duration::from_secs(300);
/// The least that Standard Webhooks asks for: 192 bits.
const SHORTEST_SECRET: usize = 24;
/// Keys that one warning names.
const MOST_NAMED: usize = 5;
/// Claims by which providers without `aud` say for whom a token is.
const CLIENT_CLAIMS: [&str; 4] = ["client_id", "azp", "appid", "cid"];
