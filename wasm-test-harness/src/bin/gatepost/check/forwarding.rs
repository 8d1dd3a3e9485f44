//! Warnings about what services are told.

use gatepost::auth::Method;
use gatepost::credential;
use gatepost::mapping::Entry;
use gatepost::mapping::expression::{IdentityField, Source};
use gatepost::query;
use gatepost::request::folded_name;
use gatepost::strip;

use super::code::Code;
use super::warning::{Subject, Warnings};
use crate::view::{RouteView, View};

pub fn review(subject: &Subject<'_>, warnings: &mut Warnings) {
    for route in subject.view.routes() {
        let mapping = &route.compiled.mapping;
        for entry in &mapping.headers {
            let place = format!("{}.mapping.headers.{}", route.place(), written_name(route, "headers", &entry.target));
            review_name(entry, subject.view, &place, warnings);
            review_sources(entry, route, subject.view, &place, warnings);
        }
        for entry in &mapping.query {
            let place = format!("{}.mapping.query.{}", route.place(), entry.target);
            review_sources(entry, route, subject.view, &place, warnings);
        }
    }
}

/// A name as the file spells it.
fn written_name<'r>(route: RouteView<'r>, list: &str, target: &'r str) -> &'r str {
    let names = route.written["mapping"][list].as_object();
    let mut names = names.into_iter().flat_map(|names| names.keys());
    names.find(|name| name.eq_ignore_ascii_case(target)).map_or(target, String::as_str)
}

fn review_name(entry: &Entry, view: View<'_>, place: &str, warnings: &mut Warnings) {
    let folded = folded_name(&entry.target);
    let is_constant = entry.expression.constant().is_some();
    if TRUSTED_HEADERS.contains(&&*folded) {
        if !is_constant {
            let message = format!("services take `{}` for what the network says", entry.target);
            warnings.push(Code::TrustedHeaderMapped, place, message);
        }
    } else if folded.starts_with("x-forwarded-") && !view.gateway.identity_headers.contains(&folded) {
        let message = format!("clients can set `{}` on other routes", entry.target);
        warnings.push(Code::SharedHeaderMapped, place, message);
    }
}

/// Warns of a value that no request can ever have.
fn review_sources(entry: &Entry, route: RouteView<'_>, view: View<'_>, place: &str, warnings: &mut Warnings) {
    let missing = entry.expression.sources().find_map(|source| missing(source, route, view));
    if let (Some(why), None) = (missing, &entry.default) {
        warnings.push(Code::MissingSource, place, why);
    }
}

/// Why a source never has a value, if so.
fn missing(source: &Source, route: RouteView<'_>, view: View<'_>) -> Option<String> {
    let policy = route.compiled.policy.as_ref();
    let readers = || {
        let ids = policy.map(|policy| policy.readers.as_slice()).unwrap_or_default();
        ids.iter().filter_map(|id| view.gateway.authenticators.get(id.0))
    };
    let has_none = |without: fn(&Method) -> bool| readers().all(|reader| without(&reader.method));
    match source {
        Source::Claims(_) | Source::AuthenticatorClaims(..) | Source::Identity(_) if policy.is_none() => {
            Some("the route needs no credential, so nobody is verified".to_owned())
        }
        Source::Claims(_) => has_none(|method| matches!(method, Method::ApiKey(_) | Method::Hmac(_)))
            .then(|| "keys have no claims: `$identity.subject` and `$identity.owner` are what there is".to_owned()),
        Source::Identity(IdentityField::Owner) => {
            has_none(|method| !matches!(method, Method::ApiKey(_) | Method::Hmac(_)))
                .then(|| "only keys have an owner".to_owned())
        }
        Source::Identity(IdentityField::Issuer) => {
            has_none(|method| !matches!(method, Method::Jwt(_) | Method::Introspection(_)))
                .then(|| "only tokens have an issuer".to_owned())
        }
        Source::Header(name) => {
            let folded = folded_name(name);
            let is_credential = policy.is_some_and(|policy| policy.takes_header(&folded, &view.gateway.authenticators));
            let is_stripped = strip::is_forged(view.gateway, Some(route.compiled), &folded);
            (is_stripped || is_credential).then(|| format!("the header `{name}` is removed before values are made"))
        }
        Source::Query(name) => {
            let folded = query::folded_name(name);
            let is_read = |source: &credential::Source| matches!(source, credential::Source::Query { name: read } if read == name);
            let is_credential =
                readers().any(|reader| !reader.forward_credential && reader.sources.iter().any(is_read));
            let is_stripped =
                view.gateway.identity_query.contains(&folded) || route.compiled.own_query.contains(&folded);
            (is_stripped || is_credential)
                .then(|| format!("the query parameter `{name}` is removed before values are made"))
        }
        _ => None,
    }
}

/// Headers that proxies write, folded: what services believe of the connection and of the request. Those that the module
/// refuses to map are not here.
const TRUSTED_HEADERS: [&str; 20] = [
    "cf-connecting-ip",
    "fastly-client-ip",
    "forwarded",
    "true-client-ip",
    "via",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-client-cert",
    "x-original-host",
    "x-original-url",
    "x-rewrite-url",
    "x-real-ip",
    "x-scheme",
];
