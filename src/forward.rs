//! The header edits that turn the request that came into the one that a service receives.

use std::collections::HashSet;

use crate::{
    config::gateway::{CLUSTER_HEADER, Integration, Route},
    mapping::Mapped,
    query,
    request::ForwardedView,
    route::path::NormalPath,
};

/// One change of the request's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderEdit {
    /// Removes every value of a header.
    Remove(String),
    /// Gives a header this one value, whatever it had.
    Set(String, Vec<u8>),
}

/// The edits for a request that is forwarded, removals first.
#[must_use]
pub fn edits(view: &ForwardedView<'_>, path: &NormalPath, route: Option<&Route>, mapped: Mapped) -> Vec<HeaderEdit> {
    let mut set: Vec<(String, Vec<u8>)> = Vec::new();
    let integration = route.and_then(|route| Some((route, route.integration.as_ref()?)));
    let path = match integration {
        Some((route, integration)) => rewritten_path(path, route, integration),
        None => path.forwarded(0),
    };
    if let Some(target) = changed_target(view, path, &mapped.query) {
        set.push((":path".to_owned(), target));
    }
    if let Some((_, integration)) = integration {
        if let Some(authority) = &integration.authority {
            set.push((":authority".to_owned(), authority.clone().into_bytes()));
        }
        set.push((CLUSTER_HEADER.to_owned(), integration.cluster.clone().into_bytes()));
    }
    let is_mapped = |name: &str| mapped.headers.iter().any(|(other, _)| other == name);
    if let Some(cookies) = view.cookies.as_ref().filter(|cookies| !cookies.is_empty() && !is_mapped("cookie")) {
        set.push(("cookie".to_owned(), cookies.clone()));
    }
    let new_authority = integration.is_some_and(|(_, integration)| integration.authority.is_some());
    set.extend(mapped.headers);

    let mut removed = HashSet::new();
    let mut edits: Vec<HeaderEdit> = Vec::new();
    let headers = view.request.headers();
    for ((name, _), kept) in headers.iter().zip(&view.kept) {
        let gone = if set.iter().any(|(other, _)| other == name) {
            // Not every host replaces all values of a repeated header.
            headers.iter().filter(|(other, _)| other == name).nth(1).is_some()
        } else {
            !kept || (new_authority && name == "host")
        };
        if gone && removed.insert(name) {
            edits.push(HeaderEdit::Remove(name.clone()));
        }
    }
    edits.extend(set.into_iter().map(|(name, value)| HeaderEdit::Set(name, value)));
    edits
}

/// The path as the service expects it: the prefix before `{.+}` off, the path of the server's URL on.
fn rewritten_path(path: &NormalPath, route: &Route, integration: &Integration) -> String {
    let skipped = if route.template.open { route.template.parts.len() } else { 0 };
    let path = format!("{}{}", integration.base_path, path.forwarded(skipped));
    if path.is_empty() { "/".to_owned() } else { path }
}

/// The request target, if it is another than the one that came.
fn changed_target(view: &ForwardedView<'_>, path: String, mapped: &[(String, Vec<u8>)]) -> Option<Vec<u8>> {
    let came = view.request.query;
    let mut query = view.query.as_deref().map(<[u8]>::to_vec);
    // An empty query keeps its `?` only if it came empty.
    if query.as_ref().is_some_and(Vec::is_empty) && came.is_some_and(|query| !query.is_empty()) {
        query = None;
    }
    for (name, value) in mapped {
        query::append(query.get_or_insert_default(), name, value);
    }
    if path.as_bytes() == view.request.path && query.as_deref() == came {
        return None;
    }
    let mut target = path.into_bytes();
    if let Some(query) = query {
        target.push(b'?');
        target.extend(query);
    }
    Some(target)
}
