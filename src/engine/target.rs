//! What decides about a request: its route, or the lack of one.

use super::{Reason, Step, attempt::Observer};
use crate::{
    auth::policy::Policy,
    config::gateway::{Gateway, Mode, Route, Unmatched},
    request::Request,
    route::{
        path::NormalPath,
        table::{Leaf, RouteId},
    },
    strip,
};

/// What decides about a request.
pub struct Target<'a> {
    /// The path as it is matched and forwarded.
    pub path: NormalPath,
    /// The route.
    pub id: Option<RouteId>,
    /// The route.
    pub route: Option<&'a Route>,
    /// Who may call; none for everyone.
    pub policy: Option<&'a Policy>,
    /// Whose credentials are removed: those of the policy, on a preflight as well.
    pub readers: Option<&'a Policy>,
    /// Whether the route's values are set: not on a preflight, which carries no identity.
    pub maps: bool,
    /// Whether a denial is carried out.
    pub mode: Mode,
}

/// Finds what decides about a request, or why nothing does, with the methods that its path serves.
pub fn locate<'a>(
    gateway: &'a Gateway,
    request: &Request<'_>,
    observe: Observer<'_>,
) -> Result<Target<'a>, (Reason, Option<String>)> {
    let refused = |reason| (reason, None);
    let path = NormalPath::new(request.path, gateway.path_policy).map_err(|_| refused(Reason::BadPath))?;
    observe(&mut || Step::Path(path.forwarded(0).to_owned()));
    let host = request.host();
    observe(&mut || Step::Host(host.clone().into_owned()));
    let leaf = gateway.table.find(&host, &path);
    let selected = select(gateway, leaf, request);
    let id = match selected {
        Selected::Route(id) | Selected::Preflight(id) => Some(id),
        Selected::Unmatched | Selected::NotServed => None,
    };
    let route = id.and_then(|id| gateway.route(id));
    check_head(gateway, route, request).map_err(refused)?;
    if path.has_encoded_slash() && !route.is_some_and(|route| route.keeps_encoded_slash) {
        return Err(refused(Reason::BadPath));
    }
    if is_lookalike(gateway, &host, &path, leaf, selected.class(gateway), request) {
        return Err(refused(Reason::LookalikePath));
    }
    if let Some(route) = route {
        observe(&mut || Step::Route(route.label.to_string()));
    }
    let route_policy = route.and_then(|route| route.policy.as_ref());
    let (policy, mode, maps) = match selected {
        Selected::NotServed => return Err((Reason::MethodNotAllowed, leaf.map(Leaf::allow))),
        Selected::Preflight(_) => {
            observe(&mut || Step::Preflight);
            (None, route.map(|route| route.mode), false)
        }
        Selected::Route(_) => (route_policy, route.map(|route| route.mode), true),
        Selected::Unmatched => {
            observe(&mut || Step::Unmatched);
            match &gateway.unmatched {
                Unmatched::Reject => return Err(refused(Reason::NoRoute)),
                Unmatched::Authenticate(policy) => (Some(&**policy), None, false),
                Unmatched::Forward => (None, None, false),
            }
        }
    };
    let readers = policy.or(route_policy);
    // What follows an upgrade is in no body, and thus in no signature.
    if request.header("upgrade").next().is_some()
        && readers.is_some_and(|policy| policy.reads_body(&gateway.authenticators))
    {
        return Err(refused(Reason::UnsupportedUpgrade));
    }
    Ok(Target { path, id, route, policy, readers, maps, mode: mode.unwrap_or(gateway.mode) })
}

/// Whether another policy would apply for a server that ignores case, a trailing slash, path parameters, or the encoding
/// of a slash.
fn is_lookalike(
    gateway: &Gateway,
    host: &str,
    path: &NormalPath,
    leaf: Option<&Leaf>,
    class: Class,
    request: &Request<'_>,
) -> bool {
    let is_itself = |other: &Leaf| leaf.is_some_and(|leaf| std::ptr::eq(leaf, other));
    let differs = |other: &Leaf| select(gateway, Some(other), request).class(gateway) != class;
    let differ = |path: &NormalPath| {
        let leaves = gateway.table.find_lookalikes(host, path);
        !leaves.iter().any(|other| is_itself(other)) && leaves.iter().any(|other| differs(other))
    };
    (!gateway.table.is_alone(path) && differ(path)) || path.lenient().is_some_and(|lenient| differ(&lenient))
}

/// What the table says about a path and a method.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Selected {
    Route(RouteId),
    /// The route whose CORS preflight this is.
    Preflight(RouteId),
    Unmatched,
    NotServed,
}

impl Selected {
    /// What policy applies: two selections of one class let the same requests through.
    fn class(self, gateway: &Gateway) -> Class {
        match self {
            Self::Route(id) => Class::Policy(gateway.route(id).map(|route| route.class)),
            Self::Unmatched => Class::Policy(gateway.unmatched_class),
            Self::NotServed => Class::NotServed,
            Self::Preflight(_) => Class::Preflight,
        }
    }
}

/// What lets requests through.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// The policies of one number; none where there is no route.
    Policy(Option<usize>),
    NotServed,
    Preflight,
}

fn select(gateway: &Gateway, leaf: Option<&Leaf>, request: &Request<'_>) -> Selected {
    let Some(leaf) = leaf else {
        return Selected::Unmatched;
    };
    let served = leaf.route(request.method);
    let asked = request.preflight_method().and_then(|method| leaf.route(method));
    match (asked, leaf.explicit_route(request.method)) {
        (Some(route), None) if gateway.forward_preflight => Selected::Preflight(route),
        // One that is to be authenticated is the business of the route that it asks about.
        (Some(route), None) => Selected::Route(served.unwrap_or(route)),
        _ => served.map_or(Selected::NotServed, Selected::Route),
    }
}

/// Refuses what would let a client reach past the filter.
fn check_head(gateway: &Gateway, route: Option<&Route>, request: &Request<'_>) -> Result<(), Reason> {
    if request.nominated_names().any(|name| strip::is_forged(gateway, route, &name)) {
        return Err(Reason::NominatedIdentity);
    }
    let websocket = |value: &[u8]| value.trim_ascii().eq_ignore_ascii_case(b"websocket");
    if !request.header("upgrade").all(websocket) {
        return Err(Reason::UnsupportedUpgrade);
    }
    Ok(())
}
