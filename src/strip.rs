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
    /// The kinds of the names, one bit each: most names that are asked about are of another kind.
    kinds: u64,
    prefixes: Vec<String>,
}

impl NameSet {
    /// Adds a folded name.
    pub fn insert(&mut self, name: String) {
        self.kinds |= kind(&name);
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
        (self.kinds & kind(name) != 0 && self.names.contains(name))
            || self.prefixes.iter().any(|prefix| name.starts_with(prefix))
    }

    /// Whether nothing is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.prefixes.is_empty()
    }
}

/// The bit of a name: its length and its last letter tell most names apart.
fn kind(name: &str) -> u64 {
    let last = name.bytes().next_back().unwrap_or_default();
    1_u64.wrapping_shl((name.len() as u32).wrapping_mul(7).wrapping_add(last.into()))
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
    let is_kept = |name: &str| {
        // Whatever is configured, a request keeps its method and path.
        if name.starts_with(':') {
            return true;
        }
        let folded = folded_name(name);
        !(is_forged(gateway, route, &folded) || places.is_some_and(|places| places.has_header(name, &folded)))
    };
    let cookies = places.and_then(|places| places.strip_cookies(&request)).filter(|_| is_kept("cookie"));
    let kept = request.headers().iter().map(|(name, _)| is_kept(name) && (cookies.is_none() || name != "cookie"));
    ForwardedView {
        request,
        kept: kept.collect(),
        cookies,
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
    let mapped = route.map(|route| &route.own_query).filter(|mapped| !mapped.is_empty());
    let is_identity =
        |name: &str| gateway.identity_query.contains(name) || mapped.is_some_and(|mapped| mapped.contains(name));
    let has_identity = !gateway.identity_query.is_empty() || mapped.is_some();
    let unwanted = |piece: &query::Piece<'_>| {
        (has_identity && piece.may_be(is_identity)) || places.is_some_and(|places| places.has_piece(piece))
    };
    query::remove(query, unwanted).map_or(Cow::Borrowed(query), Cow::Owned)
}
