//! The header edits that turn the request that came into the one that a service receives.

use std::{borrow::Cow, collections::HashSet, rc::Rc};

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
    Remove(Rc<str>),
    /// Gives a header this one value, whatever it had.
    Set(Rc<str>, Rc<[u8]>),
}

impl HeaderEdit {
    /// Which header it changes.
    fn name(&self) -> &Rc<str> {
        match self {
            Self::Remove(name) | Self::Set(name, _) => name,
        }
    }
}

/// The edits for a request that is forwarded, removals first. An identity token goes on as a header of its own.
#[must_use]
pub fn edits(
    view: &ForwardedView<'_>,
    path: &NormalPath,
    route: Option<&Route>,
    mapped: &Mapped,
    identity_token: Option<(Rc<str>, Rc<[u8]>)>,
) -> Vec<HeaderEdit> {
    let mut edits: Vec<HeaderEdit> = Vec::with_capacity(mapped.headers.len().saturating_add(USUAL_EDITS));
    let integration = route.and_then(|route| Some((route, route.integration.as_ref()?)));
    let path = match integration {
        Some((route, integration)) => Cow::Owned(rewritten_path(path, route, integration)),
        None => Cow::Borrowed(path.forwarded(0)),
    };
    let mut set = |name: Rc<str>, value: Rc<[u8]>| edits.push(HeaderEdit::Set(name, value));
    if let Some(target) = changed_target(view, path, &mapped.query) {
        set(":path".into(), target.into());
    }
    if let Some((_, integration)) = integration {
        if let Some(authority) = &integration.authority {
            set(":authority".into(), authority.as_bytes().into());
        }
        set(CLUSTER_HEADER.into(), integration.cluster.as_bytes().into());
    }
    let is_mapped = |name: &str| mapped.headers.iter().any(|(other, _)| **other == *name);
    if let Some(cookies) = view.cookies.as_ref().filter(|cookies| !cookies.is_empty() && !is_mapped("cookie")) {
        set("cookie".into(), cookies.as_slice().into());
    }
    mapped.headers.iter().cloned().chain(identity_token).for_each(|(name, value)| set(name, value));
    let new_authority = integration.is_some_and(|(_, integration)| integration.authority.is_some());

    let mut all = removals(view, &edits, new_authority);
    all.append(&mut edits);
    all
}

/// The headers that are to go, those that are set only where they are there twice.
fn removals(view: &ForwardedView<'_>, set: &[HeaderEdit], new_authority: bool) -> Vec<HeaderEdit> {
    let headers = view.request.headers();
    let is_gone = |name: &str, kept: bool| {
        if set.iter().any(|edit| **edit.name() == *name) {
            // Not every host replaces all values of a repeated header.
            headers.values(name).nth(1).is_some()
        } else {
            !kept || (new_authority && name == "host")
        }
    };
    let names = headers.iter().zip(&view.kept).filter(|((name, _), kept)| is_gone(name, **kept));
    removals_of(names.map(|((name, _), _)| name))
}

/// The removal of each header, once however often its name comes.
pub fn removals_of<'a>(names: impl Iterator<Item = &'a str>) -> Vec<HeaderEdit> {
    let mut removals: Vec<HeaderEdit> = Vec::new();
    // A client may send a thousand long names: few are compared one by one, many by their hashes.
    let mut many: HashSet<Rc<str>> = HashSet::new();
    for name in names {
        if removals.len() == FEW_REMOVALS && many.is_empty() {
            many.extend(removals.iter().map(|removal| Rc::clone(removal.name())));
        }
        let is_known =
            if many.is_empty() { removals.iter().any(|other| **other.name() == *name) } else { many.contains(name) };
        if is_known {
            continue;
        }
        let name: Rc<str> = name.into();
        if !many.is_empty() {
            many.insert(Rc::clone(&name));
        }
        removals.push(HeaderEdit::Remove(name));
    }
    removals
}

/// The path as the service expects it: the prefix before `{.+}` off, the path of the server's URL on.
fn rewritten_path(path: &NormalPath, route: &Route, integration: &Integration) -> String {
    let skipped = if route.template.open { route.template.parts.len() } else { 0 };
    let path = format!("{}{}", integration.base_path, path.forwarded(skipped));
    if path.is_empty() { "/".to_owned() } else { path }
}

/// The request target, if it is another than the one that came.
fn changed_target(view: &ForwardedView<'_>, path: Cow<'_, str>, mapped: &[(Rc<str>, Vec<u8>)]) -> Option<Vec<u8>> {
    let came = view.request.query;
    if mapped.is_empty() && path.as_bytes() == view.request.path && view.query.as_deref() == came {
        return None;
    }
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
    let mut target = path.into_owned().into_bytes();
    if let Some(query) = query {
        target.push(b'?');
        target.extend(query);
    }
    Some(target)
}

/// Removals and what is set besides mapped values, mostly.
const USUAL_EDITS: usize = 4;
/// As many as are compared faster than hashed.
const FEW_REMOVALS: usize = 16;
