//! What services may rely on, as data: what is printed as Markdown and as JSON.

use gatepost::auth::policy::Policy;
use gatepost::auth::{AuthenticatorId, Method};
use gatepost::config::OVERRIDE_HEADERS;
use gatepost::config::gateway::{Mode, Unmatched};
use gatepost::limit::{By, Limit};
use gatepost::mapping::{Entry, value::Form};
use serde::Serialize;

use super::value::{self, Origin};
use crate::access::alternatives;
use crate::durations::shown;
use crate::view::{RouteView, View, texts};

/// The contract of one gateway.
#[derive(Serialize)]
pub struct Contract {
    /// By path, host and method.
    pub routes: Vec<Route>,
    /// What becomes of paths that no route has: `reject`, `authenticate` or `forward`.
    pub unmatched: &'static str,
    pub authenticators: Vec<Authenticator>,
    /// Headers that no client can set, and prefixes of such, which end with `*`.
    pub removed_headers: Vec<String>,
    /// Query parameters of that kind.
    pub removed_query: Vec<String>,
    pub identity_token: Option<IdentityToken>,
}

/// What a service may rely on where it serves a route.
#[derive(Serialize)]
pub struct Route {
    pub methods: Vec<String>,
    pub path: String,
    /// Empty for all hosts.
    pub hosts: Vec<String>,
    /// The cluster that requests go to, where gatepost chooses it.
    pub cluster: Option<String>,
    /// Whether a caller without a credential gets through.
    pub open: bool,
    /// Whether denials are only counted.
    pub shadow: bool,
    /// Who may call; any one of them. Empty on a public route.
    pub callers: Vec<Caller>,
    pub headers: Vec<Value>,
    pub query: Vec<Value>,
    /// Whom the identity token on this route is for; null where there is none.
    pub identity_token_audience: Option<String>,
    /// Those of the route and of the gateway, in words.
    pub rate_limits: Vec<String>,
}

/// One way to be let in.
#[derive(Serialize)]
pub struct Caller {
    /// All of them have to verify; the first one's identity is the caller's.
    pub authenticators: Vec<String>,
    /// What the identity has to hold, in words; all of it.
    pub holds: Vec<String>,
}

/// A header or query parameter that the gateway sets.
#[derive(Serialize)]
pub struct Value {
    pub name: String,
    /// What it holds, in words.
    pub holds: String,
    /// Whether it is there on each request, and when not.
    pub presence: String,
    /// How it is written.
    pub form: &'static str,
    /// Who vouches for it.
    pub origin: Origin,
}

/// Somebody who verifies.
#[derive(Serialize)]
pub struct Authenticator {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub issuers: Vec<String>,
    pub audiences: Vec<String>,
    /// Whether the service gets the credential as well.
    pub forwards_credential: bool,
}

/// How a service verifies the identity token.
#[derive(Serialize)]
pub struct IdentityToken {
    pub header: String,
    pub algorithm: String,
    pub issuer: String,
    pub lifetime: String,
    /// Null where the key is a secret.
    pub key_id: Option<String>,
}

impl Contract {
    pub fn of(view: View<'_>) -> Self {
        let mut routes: Vec<Route> = view.routes().map(|route| Route::of(route, view)).collect();
        let key = |route: &Route| (route.path.clone(), route.hosts.clone(), route.methods.clone());
        routes.sort_by_key(key);
        Self {
            routes,
            unmatched: unmatched(&view.gateway.unmatched),
            authenticators: (0..view.gateway.authenticators.len()).filter_map(|id| authenticator(id, view)).collect(),
            removed_headers: removed_headers(view),
            removed_query: removed_query(view),
            identity_token: view.gateway.identity_token.as_ref().map(|issuer| IdentityToken {
                header: issuer.header.to_string(),
                algorithm: issuer.algorithm().name().to_owned(),
                issuer: issuer.name().to_owned(),
                lifetime: shown(issuer.ttl()),
                key_id: issuer.public_jwk().and_then(|key| Some(key.get("kid")?.as_str()?.to_owned())),
            }),
        }
    }
}

impl Route {
    fn of(route: RouteView<'_>, view: View<'_>) -> Self {
        let compiled = route.compiled;
        let value = |entry: &Entry| Value {
            name: entry.target.to_string(),
            holds: value::holds(entry, route, view),
            presence: value::presence(entry, route),
            form: form(entry.form),
            origin: value::origin(entry),
        };
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
        let mut headers: Vec<Value> = compiled.mapping.headers.iter().map(value).collect();
        let mut query: Vec<Value> = compiled.mapping.query.iter().map(value).collect();
        headers.sort_by(|one, other| one.name.cmp(&other.name));
        query.sort_by(|one, other| one.name.cmp(&other.name));
        let limits = [&view.gateway.rate_limit, &compiled.rate_limit];
        Self {
            methods: owned(route.methods()),
            path: route.path().to_owned(),
            hosts: owned(route.hosts()),
            cluster: compiled.integration.as_ref().map(|integration| integration.cluster.clone()),
            open: route.is_open(),
            shadow: compiled.mode == Mode::Shadow && compiled.policy.is_some(),
            callers: compiled.policy.as_ref().map(|policy| callers(policy, view)).unwrap_or_default(),
            headers,
            query,
            identity_token_audience: compiled.audience.clone(),
            rate_limits: limits.into_iter().flatten().map(limit_text).collect(),
        }
    }
}

/// The ways to be let in.
pub fn callers(policy: &Policy, view: View<'_>) -> Vec<Caller> {
    let caller = |alternative: crate::access::Alternative| Caller {
        authenticators: alternative.members.iter().map(|member| view.name(member.authenticator).to_owned()).collect(),
        holds: alternative.members.iter().flat_map(|member| member.demands()).collect(),
    };
    alternatives(&policy.rule).into_iter().map(caller).collect()
}

/// A limit in words.
pub fn limit_text(limit: &Limit) -> String {
    let whom = match limit.by {
        By::Identity => "each caller",
        By::Address => "each address",
        By::Route => "all callers together",
    };
    let what = if limit.name == "default" { "over all routes" } else { "on this route" };
    let rate = &limit.rate;
    format!("{} requests per {} ({} at once) for {whom}, {what}", rate.requests, shown(rate.per), rate.burst)
}

/// Every name that is removed from all requests, in the spelling of the configuration.
pub fn removed_headers(view: View<'_>) -> Vec<String> {
    let mut names = vec!["x-gatepost-*".to_owned()];
    names.extend(view.gateway.identity_token.as_ref().map(|issuer| issuer.header.to_string()));
    names.extend(texts(&view.written["identity_headers"]).into_iter().map(str::to_ascii_lowercase));
    let mapped = view.routes().flat_map(|route| &route.compiled.mapping.headers).map(|entry| &*entry.target);
    let is_removed = |name: &&str| view.gateway.identity_headers.contains(&gatepost::request::folded_name(name));
    names.extend(mapped.filter(is_removed).map(str::to_owned));
    names.extend(
        OVERRIDE_HEADERS
            .iter()
            .filter(|name| view.gateway.override_headers.contains(name))
            .map(|name| (*name).to_owned()),
    );
    names.sort();
    names.dedup();
    names
}

/// Every query parameter that is removed from all requests.
pub fn removed_query(view: View<'_>) -> Vec<String> {
    let mut names: Vec<String> = texts(&view.written["identity_query"]).into_iter().map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

/// As a configuration writes it.
pub fn unmatched(unmatched: &Unmatched) -> &'static str {
    match unmatched {
        Unmatched::Reject => "reject",
        Unmatched::Authenticate(_) => "authenticate",
        Unmatched::Forward => "forward",
    }
}

fn authenticator(id: usize, view: View<'_>) -> Option<Authenticator> {
    let authenticator = view.authenticator(AuthenticatorId(id))?;
    let list = |name: &str| texts(&authenticator.written[name]).into_iter().map(str::to_owned).collect();
    Some(Authenticator {
        name: authenticator.compiled.name.to_string(),
        kind: kind(&authenticator.compiled.method),
        issuers: list("issuer"),
        audiences: list("audiences"),
        forwards_credential: authenticator.compiled.forward_credential,
    })
}

fn kind(method: &Method) -> &'static str {
    match method {
        Method::Jwt(_) => "jwt",
        Method::Introspection(_) => "introspection",
        Method::ApiKey(_) => "api_key",
        Method::Mtls(_) => "mtls",
        Method::Hmac(_) => "hmac",
    }
}

fn form(form: Option<Form>) -> &'static str {
    match form {
        None => "text",
        Some(Form::Csv) => "list",
        Some(Form::Json) => "JSON",
        Some(Form::Base64Url) => "base64url without padding",
    }
}
