//! Warnings about who gets where.

use gatepost::auth::hmac::Scheme;
use gatepost::auth::{AuthenticatorId, Method};
use gatepost::engine::{Engine, Step, UnixTime};
use gatepost::host::NoHost;
use gatepost::jose::claims::Accepted;
use gatepost::route::template::Part;
use serde_json::Value;

use super::code::Code;
use super::warning::{Subject, Warnings};
use crate::access::{Alternative, Member, alternatives};
use crate::probe::{ANY_METHOD, Probe};
use crate::view::{RouteView, View, items, texts};

pub fn review(subject: &Subject<'_>, warnings: &mut Warnings) {
    // The engine itself says what it would not let through, whatever the reason.
    let mut engine = subject.configuration.load().ok().map(|gateway| Engine::new(gateway, 0));
    for route in subject.view.routes() {
        let place = route.place();
        if route.written["mode"] == "shadow" {
            warnings.push(Code::ShadowMode, format!("{place}.mode"), format!("nothing is denied on {}", route.title()));
        }
        if let Some(engine) = &mut engine
            && !is_reached(route, engine, subject.now)
        {
            warnings.push(Code::UnreachableRoute, place, route.title());
            continue;
        }
        if let Some(protected) = prefix_above(route, subject.view) {
            let message = format!(
                "{} needs no credential, and {} does ({})",
                route.title(),
                protected.title(),
                protected.place()
            );
            warnings.push(Code::PublicUnderProtected, format!("{place}.auth"), message);
        }
        if let Some(obstacle) = obstacle(route, subject) {
            warnings.push(Code::NeverAuthorized, format!("{place}.auth"), format!("{}: {obstacle}", route.title()));
        }
    }
}

/// Whether the engine gives any request to the route.
fn is_reached(route: RouteView<'_>, engine: &mut Engine, now: UnixTime) -> bool {
    Probe::all(route, &[ANY_METHOD]).iter().any(|probe| {
        let (_, steps) = engine.explain(&probe.head(), b"", now, &mut NoHost);
        steps.iter().any(|step| matches!(step, Step::Route(label) if **label == *route.compiled.label))
    })
}

/// The most specific route that asks for a credential, and would have the requests of this one, which does not.
fn prefix_above<'v>(route: RouteView<'v>, view: View<'v>) -> Option<RouteView<'v>> {
    // A preflight carries no credential.
    if !route.is_open() || route.methods() == ["OPTIONS"] {
        return None;
    }
    let covers = |other: &RouteView<'v>| {
        let (above, below) = (&other.compiled.template, &route.compiled.template);
        let depth = above.parts.len();
        let is_prefix = above.open && depth > 0 && below.parts.len() >= depth && other.index != route.index;
        is_prefix
            && above.parts.iter().zip(&below.parts).all(|(above, below)| match (above, below) {
                (Part::Parameter(_), _) => true,
                (Part::Literal(above), Part::Literal(below)) => above == below,
                (Part::Literal(_), Part::Parameter(_)) => false,
            })
    };
    let protected = view.routes().filter(|other| !other.is_open() && covers(other) && shares_hosts(route, *other));
    let served = protected.filter(|other| shares_methods(route, *other));
    served.max_by_key(|other| other.compiled.template.parts.len())
}

/// Whether the other route is there for the hosts of the one.
fn shares_hosts(route: RouteView<'_>, other: RouteView<'_>) -> bool {
    let is_for = |host: &str| {
        let hosts = other.hosts();
        hosts.is_empty()
            || hosts.iter().any(|pattern| {
                let pattern = pattern.to_ascii_lowercase();
                pattern == host || pattern.strip_prefix('*').is_some_and(|suffix| host.ends_with(suffix))
            })
    };
    match route.hosts().as_slice() {
        [] => other.hosts().is_empty(),
        hosts => hosts.iter().any(|host| is_for(&host.to_ascii_lowercase())),
    }
}

fn shares_methods(route: RouteView<'_>, other: RouteView<'_>) -> bool {
    let (own, others) = (route.methods(), other.methods());
    own == ["ANY"] || others == ["ANY"] || own.iter().any(|method| others.contains(method))
}

/// Why nobody can satisfy the route's policy, if nobody can.
fn obstacle(route: RouteView<'_>, subject: &Subject<'_>) -> Option<String> {
    let policy = route.compiled.policy.as_ref().filter(|policy| !policy.optional)?;
    let obstacles: Option<Vec<String>> =
        alternatives(&policy.rule).iter().map(|alternative| obstacle_of(alternative, subject)).collect();
    let mut obstacles = obstacles?;
    obstacles.dedup();
    Some(obstacles.join("; "))
}

fn obstacle_of(alternative: &Alternative, subject: &Subject<'_>) -> Option<String> {
    let view = subject.view;
    let members = &alternative.members;
    if let Some(obstacle) = members.iter().find_map(|member| obstacle_of_member(member, subject)) {
        return Some(obstacle);
    }
    let rivals = members.iter().enumerate().find_map(|(index, one)| {
        let other =
            members[..index].iter().find(|other| exclude_each_other(view, one.authenticator, other.authenticator))?;
        Some((one, other))
    });
    rivals.map(|(one, other)| {
        let (one, other) = (view.name(other.authenticator), view.name(one.authenticator));
        format!("`{one}` and `{other}` read one place, and take tokens of different issuers")
    })
}

/// Why an authenticator can give no identity that holds what is asked for.
fn obstacle_of_member(member: &Member, subject: &Subject<'_>) -> Option<String> {
    let authenticator = subject.view.authenticator(member.authenticator)?;
    let name = &authenticator.compiled.name;
    let asks_roles = member.roles().next().is_some() || !member.scopes().is_empty();
    let asks_audiences = member.audiences().next().is_some();
    let mut claims = member.claims().map(|(claim, _)| claim);
    match &authenticator.compiled.method {
        Method::Jwt(_) | Method::Introspection(_) => None,
        Method::Mtls(_) if asks_roles => Some(format!("`{name}`: a certificate has no roles and no scopes")),
        Method::Mtls(_) if asks_audiences => Some(format!("`{name}`: a certificate has no audience")),
        Method::Mtls(_) => claims
            .find(|claim| !CERTIFICATE_CLAIMS.contains(&claim.as_str()))
            .map(|claim| format!("`{name}`: a certificate has no `{claim}`")),
        Method::ApiKey(_) | Method::Hmac(_) if asks_audiences || claims.next().is_some() => {
            Some(format!("`{name}`: a key has no claims and no audience"))
        }
        Method::Hmac(method) if method.scheme != Scheme::Generic => {
            asks_roles.then(|| format!("`{name}`: a sender of signed requests has no roles and no scopes"))
        }
        Method::ApiKey(_) | Method::Hmac(_) => {
            let keys = || items(&authenticator.written["keys"]).filter(|key| !is_expired(key, subject.now));
            if keys().next().is_none() {
                return Some(format!("`{name}`: all keys have expired"));
            }
            let is_enough = |key: &Value| {
                let (roles, scopes) = (texts(&key["roles"]), texts(&key["scopes"]));
                member.roles().all(|group| group.iter().any(|role| roles.contains(&role.as_str())))
                    && member.scopes().iter().all(|scope| scopes.contains(scope))
            };
            (!keys().any(is_enough)).then(|| format!("`{name}`: no key has {}", member.demands().join(" and ")))
        }
    }
}

fn is_expired(key: &Value, now: UnixTime) -> bool {
    key["expires_at"].as_str().and_then(UnixTime::parse_rfc3339).is_some_and(|expires| expires <= now)
}

/// Whether no request can satisfy both: one token would have to have two issuers.
fn exclude_each_other(view: View<'_>, one: AuthenticatorId, other: AuthenticatorId) -> bool {
    let issuers = |id: AuthenticatorId| {
        let authenticator = view.gateway.authenticators.get(id.0)?;
        match (&authenticator.method, authenticator.sources.as_slice()) {
            (Method::Jwt(method), [source]) => match &method.expectations.issuers {
                Accepted::These(issuers) => Some((issuers, source)),
                Accepted::Any => None,
            },
            _ => None,
        }
    };
    match (issuers(one), issuers(other)) {
        (Some((one, source)), Some((other, other_source))) => {
            source == other_source && !one.iter().any(|issuer| other.contains(issuer))
        }
        _ => false,
    }
}

/// What a certificate tells.
const CERTIFICATE_CLAIMS: [&str; 4] = ["uri_sans", "dns_sans", "subject", "sha256"];
