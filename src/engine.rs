//! One request's decision, without any input or output of its own: heads and times come in, edits and answers go out.
//!
//! ```
//! use gatepost::{config, engine::{Engine, Verdict}, request::Head, time::UnixTime};
//!
//! let configuration = br#"{
//!     "authorizer": {"type": "jwt", "issuer": "https://idp.example.com", "audiences": ["api"],
//!                    "secret": "at least 32 bytes, and kept secret"},
//!     "paths": [{"method": "GET", "path": "/health", "auth": false},
//!               {"method": "GET", "path": "/orders/{.+}", "auth": true}]
//! }"#;
//! let gateway = config::load(configuration, &|_| None).unwrap();
//! let mut engine = Engine::new(gateway);
//! let mut decide = |path: &str| {
//!     let headers = [(":method", "GET"), (":path", path), (":authority", "api.example.com")];
//!     let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
//!     let head = Head { headers: headers.to_vec(), end_of_stream: true };
//!     engine.decide(&head, UnixTime::from_secs(1_800_000_000)).verdict
//! };
//! assert!(matches!(decide("/health"), Verdict::Forward(_)));
//! assert!(matches!(decide("/orders/7"), Verdict::Deny(answer) if answer.status == 401));
//! ```

use std::{collections::HashSet, rc::Rc};

use crate::{
    auth::{
        AuthenticatorId, Identity,
        jwt::VerifiedToken,
        policy::{Failure, Outcome, Policy, Verifier},
    },
    cache::TokenCache,
    config::gateway::{Gateway, Mode, Route, Unmatched},
    deny::Circumstances,
    forward,
    mapping::{Mapped, expression::Facts},
    request::{Request, folded_name},
    route::{
        path::NormalPath,
        table::{Leaf, RouteId},
    },
    strip,
};
pub use crate::{
    deny::{Answer, Code, GrpcStatus, Reason},
    forward::HeaderEdit,
    request::Head,
    time::UnixTime,
};

/// A gateway and the tokens that it has verified.
#[derive(Debug)]
pub struct Engine {
    gateway: Gateway,
    /// One for each authenticator.
    caches: Vec<TokenCache>,
}

/// What was decided about a request, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What to do.
    pub verdict: Verdict,
    /// What to write down about it.
    pub record: Record,
    /// The route that decided, for [`Engine::trailers`].
    pub route: Option<RouteId>,
}

/// What to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Forward it with these changes, in this order.
    Forward(Vec<HeaderEdit>),
    /// Answer it.
    Deny(Answer),
}

/// What operators learn about a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The route that decided.
    pub route: Option<String>,
    /// Who verified the caller, or whose refusal is reported.
    pub authenticator: Option<String>,
    /// Why the request was refused, or would have been.
    pub reason: Option<Reason>,
    /// Whether it was forwarded all the same, as shadow mode asks.
    pub shadow: bool,
}

/// A step of a decision, as `gatepost explain` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The path as it is matched and forwarded.
    Path(String),
    /// The host as it is compared.
    Host(String),
    /// The route that was selected.
    Route(String),
    /// The request is a CORS preflight of the selected route.
    Preflight,
    /// No route has the path.
    Unmatched,
    /// An authenticator's verdict.
    Authenticator {
        /// Its name.
        name: String,
        /// Why it refused; none if it verified.
        refused: Option<Reason>,
    },
    /// No credential came, and none is needed.
    Anonymous,
    /// Who was verified.
    Verified {
        /// The authenticator.
        authenticator: String,
        /// Roles that the caller holds.
        roles: usize,
        /// Scopes that the caller holds.
        scopes: usize,
    },
}

impl Engine {
    /// An engine that has verified nothing yet.
    #[must_use]
    pub fn new(gateway: Gateway) -> Self {
        let caches = gateway.authenticators.iter();
        let caches = caches.map(|_| TokenCache::new(gateway.cached_tokens)).collect();
        Self { gateway, caches }
    }

    /// The configuration.
    #[must_use]
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Decides about a request.
    pub fn decide(&mut self, head: &Head, now: UnixTime) -> Decision {
        self.run(head, now, &mut |_| {})
    }

    /// Decides about a request and tells each step.
    pub fn explain(&mut self, head: &Head, now: UnixTime) -> (Decision, Vec<Step>) {
        let mut steps = Vec::new();
        let decision = self.run(head, now, &mut |step| steps.push(step()));
        (decision, steps)
    }

    /// The edits for the trailers of a request that this route decided: no client may forge identity there either.
    #[must_use]
    pub fn trailers(&self, route: Option<RouteId>, trailers: &[(String, Vec<u8>)]) -> Vec<HeaderEdit> {
        let route = route.and_then(|route| self.gateway.route(route));
        let mut removed = HashSet::new();
        let forged = trailers.iter().filter(|(name, _)| strip::is_forged(&self.gateway, route, &folded_name(name)));
        forged.filter(|(name, _)| removed.insert(name)).map(|(name, _)| HeaderEdit::Remove(name.clone())).collect()
    }

    /// The answer where the host failed to give or take a request's headers.
    #[must_use]
    pub fn host_failure(&self, head: Option<&Head>) -> Answer {
        let circumstances = head.map(circumstances).unwrap_or_default();
        Answer::new(Reason::HostFailure.code(), &self.gateway.responses, &circumstances)
    }

    fn run(&mut self, head: &Head, now: UnixTime, observe: Observer<'_>) -> Decision {
        let gateway = &self.gateway;
        let refused = |(reason, allow)| {
            let circumstances = Circumstances { allow, ..circumstances(head) };
            deny(gateway, reason, &circumstances, Record::default(), None)
        };
        if head.is_too_large() {
            return refused((Reason::HeadersTooLarge, None));
        }
        let request = match Request::new(head) {
            Ok(request) => request,
            Err(reason) => return refused((reason, None)),
        };
        let target = match locate(gateway, &request, observe) {
            Ok(target) => target,
            Err(refusal) => return refused(refusal),
        };
        let mut verifier = Verifier {
            authenticators: &gateway.authenticators,
            caches: &mut self.caches,
            now,
            csrf_origins: gateway.csrf_origins.as_deref(),
            observer: &mut |id, refused| observe(&mut || Step::Authenticator { name: name_of(gateway, id), refused }),
            verdicts: Vec::new(),
        };
        let record = Record { route: target.route.map(|route| route.label.clone()), ..Record::default() };
        let (verified, mut record) = match target.policy.map(|policy| policy.evaluate(&request, &mut verifier)) {
            None => (Vec::new(), record),
            Some(Outcome::Anonymous) => {
                observe(&mut || Step::Anonymous);
                (Vec::new(), record)
            }
            Some(Outcome::Verified(verified)) => (verified, record),
            Some(Outcome::Refused(failure)) => {
                let authenticator = gateway.authenticators.get(failure.authenticator.0);
                let authenticator = authenticator.map(|authenticator| authenticator.name.clone());
                return refuse(gateway, &request, &target, failure, Record { authenticator, ..record });
            }
        };
        if let Some(caller) = verified.first().map(|verified| &verified.identity) {
            record.authenticator = Some(caller.authenticator_name.clone());
            observe(&mut || Step::Verified {
                authenticator: caller.authenticator_name.clone(),
                roles: caller.roles.len(),
                scopes: caller.scopes.len(),
            });
        }
        forward(gateway, &request, &target, &verified, record)
    }
}

/// Told of each step, as a closure, so that a step which nobody wants to see costs nothing.
type Observer<'a> = &'a mut dyn FnMut(&mut dyn FnMut() -> Step);

/// What decides about a request.
struct Target<'a> {
    path: NormalPath,
    id: Option<RouteId>,
    route: Option<&'a Route>,
    policy: Option<&'a Policy>,
    /// Whose credentials are removed: those of the policy, on a preflight as well.
    readers: Option<&'a Policy>,
    /// Whether the route's values are set: not on a preflight, which carries no identity.
    maps: bool,
    mode: Mode,
}

/// Finds what decides about a request, or why nothing does, with the methods that its path serves.
fn locate<'a>(
    gateway: &'a Gateway,
    request: &Request<'_>,
    observe: Observer<'_>,
) -> Result<Target<'a>, (Reason, Option<String>)> {
    let refused = |reason| (reason, None);
    let path = NormalPath::new(request.path, gateway.path_policy).map_err(|_| refused(Reason::BadPath))?;
    observe(&mut || Step::Path(path.forwarded(0)));
    let host = request.host();
    observe(&mut || Step::Host(host.clone()));
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
        observe(&mut || Step::Route(route.label.clone()));
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
                Unmatched::Authenticate(policy) => (Some(policy), None, false),
                Unmatched::Forward => (None, None, false),
            }
        }
    };
    let readers = policy.or(route_policy);
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
    differ(path) || path.lenient().is_some_and(|lenient| differ(&lenient))
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

fn forward(
    gateway: &Gateway,
    request: &Request<'_>,
    target: &Target<'_>,
    verified: &[Rc<VerifiedToken>],
    record: Record,
) -> Decision {
    let identities: Vec<&Identity> = verified.iter().map(|verified| &verified.identity).collect();
    let places = target
        .readers
        .filter(|_| target.mode == Mode::Enforce)
        .map(|policy| policy.places(&gateway.authenticators, &identities, request));
    let view = strip::strip(gateway, target.route, places.as_ref(), *request);
    let facts = Facts { request: &view, path: &target.path, identities: &identities };
    let mapped = match target.route.filter(|_| target.maps) {
        None => Ok(Mapped::default()),
        Some(route) => route.mapping.evaluate(&facts),
    };
    match mapped {
        Ok(mapped) => Decision {
            verdict: Verdict::Forward(forward::edits(&view, &target.path, target.route, mapped)),
            record,
            route: target.id,
        },
        Err(reason) => {
            let caller = identities.first().map_or(AuthenticatorId(usize::MAX), |identity| identity.authenticator);
            refuse(gateway, request, target, Failure::of_verified(reason, caller), record)
        }
    }
}

/// Denies a request, or, in shadow mode, forwards it without any mapped value and with its credentials.
fn refuse(gateway: &Gateway, request: &Request<'_>, target: &Target<'_>, failure: Failure, record: Record) -> Decision {
    let reason = failure.reason;
    if target.mode == Mode::Shadow {
        let view = strip::strip(gateway, target.route, None, *request);
        let edits = forward::edits(&view, &target.path, target.route, Mapped::default());
        let record = Record { reason: Some(reason), shadow: true, ..record };
        return Decision { verdict: Verdict::Forward(edits), record, route: target.id };
    }
    let mut circumstances = circumstances(request.head());
    circumstances.scopes = &failure.scopes;
    let readers = target.policy.iter().flat_map(|policy| &policy.readers);
    for scheme in readers.filter_map(|id| gateway.authenticators.get(id.0)).flat_map(|reader| reader.method.schemes()) {
        if !circumstances.schemes.contains(scheme) {
            circumstances.schemes.push(scheme);
        }
    }
    deny(gateway, reason, &circumstances, record, target.id)
}

fn deny(
    gateway: &Gateway,
    reason: Reason,
    circumstances: &Circumstances<'_>,
    record: Record,
    route: Option<RouteId>,
) -> Decision {
    Decision {
        verdict: Verdict::Deny(Answer::new(reason.code(), &gateway.responses, circumstances)),
        record: Record { reason: Some(reason), ..record },
        route,
    }
}

fn circumstances(head: &Head) -> Circumstances<'_> {
    Circumstances { origin: head.origin(), grpc: head.is_grpc(), ..Circumstances::default() }
}

fn name_of(gateway: &Gateway, id: AuthenticatorId) -> String {
    let authenticator = gateway.authenticators.get(id.0);
    authenticator.map(|authenticator| authenticator.name.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
