//! A configuration that is valid, as it was written and as it was compiled: each tells what the other does not.

use gatepost::auth::{Authenticator, AuthenticatorId};
use gatepost::config::gateway::{Gateway, Route};
use serde_json::Value;

/// Both forms of one configuration.
#[derive(Clone, Copy)]
pub struct View<'v> {
    pub gateway: &'v Gateway,
    /// The JSON. It was checked: what is not there has its default, and what is there has its type.
    pub written: &'v Value,
}

/// A route.
#[derive(Clone, Copy)]
pub struct RouteView<'v> {
    pub index: usize,
    pub compiled: &'v Route,
    pub written: &'v Value,
}

/// An authenticator.
pub struct AuthenticatorView<'v> {
    pub compiled: &'v Authenticator,
    pub written: &'v Value,
    /// Its configuration path.
    pub place: String,
}

impl<'v> View<'v> {
    pub fn routes(self) -> impl Iterator<Item = RouteView<'v>> {
        let routes = self.gateway.routes.iter().enumerate();
        routes.map(move |(index, compiled)| RouteView { index, compiled, written: &self.written["paths"][index] })
    }

    pub fn route(self, index: usize) -> Option<RouteView<'v>> {
        self.routes().nth(index)
    }

    pub fn authenticators(self) -> impl Iterator<Item = AuthenticatorView<'v>> {
        let authenticators = (0..self.gateway.authenticators.len()).map(AuthenticatorId);
        authenticators.filter_map(move |id| self.authenticator(id))
    }

    pub fn authenticator(self, id: AuthenticatorId) -> Option<AuthenticatorView<'v>> {
        let compiled = self.gateway.authenticators.get(id.0)?;
        let name = &*compiled.name;
        let (written, place) = match &self.written["authenticators"][name] {
            Value::Null => (&self.written["authorizer"], "authorizer".to_owned()),
            written => (written, format!("authenticators.{name}")),
        };
        Some(AuthenticatorView { compiled, written, place })
    }

    /// An authenticator's name.
    pub fn name(self, id: AuthenticatorId) -> &'v str {
        self.gateway.authenticators.get(id.0).map(|authenticator| &*authenticator.name).unwrap_or_default()
    }
}

impl<'v> RouteView<'v> {
    pub fn place(self) -> String {
        format!("paths[{}]", self.index)
    }

    pub fn path(self) -> &'v str {
        self.written["path"].as_str().unwrap_or_default()
    }

    pub fn methods(self) -> Vec<&'v str> {
        texts(&self.written["method"])
    }

    /// Empty where the route is for all hosts.
    pub fn hosts(self) -> Vec<&'v str> {
        texts(&self.written["hosts"])
    }

    /// For people: `GET POST /orders/{id} on api.example.com`.
    pub fn title(self) -> String {
        let hosts = self.hosts().join(", ");
        let hosts = if hosts.is_empty() { hosts } else { format!(" on {hosts}") };
        format!("{} {}{hosts}", self.methods().join(" "), self.path())
    }

    /// Whether a caller without a credential gets through.
    pub fn is_open(self) -> bool {
        self.compiled.policy.as_ref().is_none_or(|policy| policy.optional)
    }
}

/// The texts of a member that is one or a list of them.
pub fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        value => items(value).filter_map(Value::as_str).collect(),
    }
}

/// The items of a list; none where there is no list.
pub fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// `1 route`, `2 routes`.
pub fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}
