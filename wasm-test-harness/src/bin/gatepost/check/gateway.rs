//! Warnings about what holds for all routes.

use std::time::Duration;

use gatepost::config::gateway::{Mode, Unmatched};
use gatepost::credential::Source;
use gatepost::route::path::PathPolicy;

use super::authenticators::review_secret;
use super::code::Code;
use super::warning::{Subject, Warnings};
use crate::durations::shown;
use crate::view::{View, items, texts};

pub fn review(subject: &Subject<'_>, warnings: &mut Warnings) {
    let View { gateway, written } = subject.view;
    if gateway.mode == Mode::Shadow {
        warnings.push(Code::ShadowMode, "mode", "nothing is denied on routes that do not say otherwise");
    }
    if matches!(gateway.unmatched, Unmatched::Forward) {
        warnings.push(Code::UnmatchedForward, "unmatched", "`forward`: paths that no route has are public");
    }
    if gateway.path_policy == PathPolicy::Normalize {
        warnings.push(Code::PathPolicyNormalize, "path_policy", "`normalize`: paths are mended");
    }
    for (index, name) in texts(&written["allow_override_headers"]).into_iter().enumerate() {
        let place = format!("allow_override_headers[{index}]");
        warnings.push(Code::OverrideHeaderAllowed, place, format!("clients can set `{name}`"));
    }
    let mut sources = gateway.authenticators.iter().flat_map(|authenticator| &authenticator.sources);
    if gateway.csrf_origins.is_none() && sources.any(|source| matches!(source, Source::Cookie { .. })) {
        warnings.push(Code::CsrfOff, "csrf", "`off`, and credentials come in cookies");
    }
    for (place, origins) in
        [("csrf_origins", &written["csrf_origins"]), ("responses.cors_origins", &written["responses"]["cors_origins"])]
    {
        for (index, origin) in texts(origins).into_iter().enumerate().filter(|(_, origin)| is_insecure(origin)) {
            warnings.push(Code::InsecureOrigin, format!("{place}[{index}]"), format!("`{origin}`"));
        }
    }
    if !gateway.forward_preflight && items(&written["responses"]["cors_origins"]).next().is_some() {
        warnings.push(Code::PreflightAuthenticated, "cors_preflight", "`authenticate`, and there are `cors_origins`");
    }
    review_secret(&written["identity_token"]["key"], "identity_token.key", warnings);
    if let Some(ttl) = gateway.identity_token.as_ref().map(|issuer| issuer.ttl()).filter(|ttl| *ttl > LONGEST_TOKEN) {
        warnings.push(Code::LongIdentityToken, "identity_token.ttl", shown(ttl));
    }
}

/// Whether an origin is spoken to without TLS, on another machine than the browser's (RFC 6761 §6.3).
fn is_insecure(origin: &str) -> bool {
    let host = origin.strip_prefix("http://").map(|authority| {
        let host = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        host.map_or(authority, |(host, _)| host)
    });
    host.is_some_and(|host| !matches!(host, "localhost" | "127.0.0.1" | "[::1]") && !host.ends_with(".localhost"))
}

const LONGEST_TOKEN: Duration = Duration::from_secs(300);
