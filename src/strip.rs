//! Names that no client may set, and the parts of a request that are left once they are gone.

use std::{borrow::Cow, collections::HashSet};

use crate::{
    config::gateway::{Gateway, Route},
    credential::Places,
    query,
    request::{ForwardedView, Request, folded_name},
};

/// A set of folded names and of prefixes of such names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameSet {
    names: HashSet<String>,
    prefixes: Vec<String>,
}

impl NameSet {
    /// Adds a folded name.
    pub fn insert(&mut self, name: String) {
        self.names.insert(name);
    }

    /// Adds all folded names that begin with `prefix`.
    pub fn insert_prefix(&mut self, prefix: String) {
        if !self.prefixes.contains(&prefix) {
            self.prefixes.push(prefix);
        }
    }

    /// Whether a folded name is in the set.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.names.contains(name) || self.prefixes.iter().any(|prefix| name.starts_with(prefix))
    }

    /// Whether nothing is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.prefixes.is_empty()
    }
}

/// The request without identity that the client may have forged, without headers that would make a service see another
/// request, and without the credentials at `places`.
#[must_use]
pub fn strip<'a>(
    gateway: &Gateway,
    route: Option<&Route>,
    places: Option<&Places>,
    request: Request<'a>,
) -> ForwardedView<'a> {
    let is_credential = |name: &str| places.is_some_and(|places| places.headers.iter().any(|header| header == name));
    let kept = request
        .headers()
        .iter()
        .map(|(name, _)| {
            let name = folded_name(name);
            !is_forged(gateway, route, &name) && !is_credential(&name)
        })
        .collect();
    ForwardedView {
        request,
        kept,
        cookies: places.and_then(|places| places.strip_cookies(&request)),
        query: request.query.map(|query| strip_query(gateway, route, places, query)),
    }
}

/// Whether a header's folded name is one that no client may set on this route.
#[must_use]
pub fn is_forged(gateway: &Gateway, route: Option<&Route>, name: &str) -> bool {
    gateway.identity_headers.contains(name)
        || gateway.override_headers.contains(name)
        || route.is_some_and(|route| route.own_headers.contains(name))
}

fn strip_query<'a>(
    gateway: &Gateway,
    route: Option<&Route>,
    places: Option<&Places>,
    query: &'a [u8],
) -> Cow<'a, [u8]> {
    let mapped = route.map(|route| &route.own_query);
    let credentials = places.map(|places| places.query.as_slice()).unwrap_or_default();
    let nothing_to_remove =
        gateway.identity_query.is_empty() && mapped.is_none_or(NameSet::is_empty) && credentials.is_empty();
    if nothing_to_remove {
        return Cow::Borrowed(query);
    }
    let unwanted = |name: &str| {
        gateway.identity_query.contains(name)
            || mapped.is_some_and(|mapped| mapped.contains(name))
            || credentials.iter().any(|credential| credential == name)
    };
    query::remove(query, unwanted).map_or(Cow::Borrowed(query), Cow::Owned)
}
