//! What a mapped value holds, in words.

use gatepost::mapping::Entry;
use gatepost::mapping::expression::{IdentityField, Source};
use gatepost::route::template::Part;
use serde::Serialize;

use crate::access::claim_text;
use crate::view::{RouteView, View};

/// Who vouches for a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The configuration.
    Configured,
    /// An authenticator.
    Verified,
    /// Nobody: the caller chooses it.
    Caller,
}

/// What a value holds.
pub fn holds(entry: &Entry, route: RouteView<'_>, view: View<'_>) -> String {
    if let Some(text) = entry.expression.constant() {
        return format!("the text `{text}`");
    }
    let sources: Vec<String> = entry.expression.sources().map(|source| source_text(source, route, view)).collect();
    let written = written(entry, route);
    match sources.as_slice() {
        [only] if !written.contains("${") => only.clone(),
        several => format!("the text `{written}`, made of {}", several.join(" and ")),
    }
}

/// When it is there.
pub fn presence(entry: &Entry, route: RouteView<'_>) -> String {
    let always = "always";
    if entry.required {
        return "always: without it the request is refused (403 `missing_claim`)".to_owned();
    }
    if let Some(default) = &entry.default {
        return format!("always; `{default}` where there is none");
    }
    let is_sure = |source: &Source| match source {
        Source::Constant(_) | Source::Segment(_) | Source::Method => true,
        Source::Identity(IdentityField::Method | IdentityField::Authenticator) => !route.is_open(),
        Source::Identity(_)
        | Source::Claims(_)
        | Source::AuthenticatorClaims(..)
        | Source::Header(_)
        | Source::Query(_) => false,
    };
    if entry.expression.sources().all(is_sure) {
        always.to_owned()
    } else {
        "where there is one, else absent".to_owned()
    }
}

/// Who vouches for it: the least of its sources.
pub fn origin(entry: &Entry) -> Origin {
    let origin = |source: &Source| match source {
        Source::Constant(_) => Origin::Configured,
        Source::Claims(_) | Source::AuthenticatorClaims(..) | Source::Identity(_) => Origin::Verified,
        Source::Header(_) | Source::Query(_) | Source::Segment(_) | Source::Method => Origin::Caller,
    };
    entry.expression.sources().map(origin).max().unwrap_or(Origin::Configured)
}

/// The expression as the file has it.
pub fn written(entry: &Entry, route: RouteView<'_>) -> String {
    let lists = ["headers", "query"].into_iter().filter_map(|list| route.written["mapping"][list].as_object());
    let mut members = lists.flatten().filter(|(name, _)| name.eq_ignore_ascii_case(&entry.target));
    let value = members.next().map(|(_, value)| value.get("value").unwrap_or(value));
    value.and_then(|value| value.as_str()).unwrap_or_default().to_owned()
}

fn source_text(source: &Source, route: RouteView<'_>, view: View<'_>) -> String {
    match source {
        Source::Claims(None) => "all claims of the token".to_owned(),
        Source::Claims(Some(claim)) => format!("the claim `{}`", claim_text(claim)),
        Source::AuthenticatorClaims(id, None) => format!("all claims that `{}` verified", view.name(*id)),
        Source::AuthenticatorClaims(id, Some(claim)) => {
            format!("the claim `{}` that `{}` verified", claim_text(claim), view.name(*id))
        }
        Source::Header(name) => format!("the caller's header `{name}`"),
        Source::Query(name) => format!("the caller's query parameter `{name}`"),
        Source::Segment(index) => match route.compiled.template.parts.get(*index) {
            Some(Part::Parameter(name)) => format!("the path's `{{{name}}}`, decoded"),
            _ => "a segment of the path, decoded".to_owned(),
        },
        Source::Method => "the request's method".to_owned(),
        Source::Constant(text) => format!("the text `{text}`"),
        Source::Identity(field) => match field {
            IdentityField::Subject => "who calls: a token's `sub`, a key's `id`, a certificate's name",
            IdentityField::Issuer => "the token's issuer (`iss`)",
            IdentityField::Method => "how the caller was verified: `jwt`, `introspection`, `api_key`, `mtls` or `hmac`",
            IdentityField::Authenticator => "the name of the authenticator that verified the caller",
            IdentityField::Scopes => "the caller's scopes",
            IdentityField::Roles => "the caller's roles",
            IdentityField::Owner => "whose key it is",
        }
        .to_owned(),
    }
}
