//! A validated configuration, compiled into what requests are decided with.

use std::{num::NonZeroUsize, rc::Rc};

use crate::{
    audit::Audit,
    auth::{Authenticator, policy::Policy},
    deny::Responses,
    identity_token::Issuer,
    limit::Limit,
    mapping::Mapping,
    provider::source::SourceConfig,
    route::{
        path::PathPolicy,
        table::{RouteId, Table},
        template::Template,
    },
    strip::NameSet,
};

/// A compiled configuration.
#[derive(Debug)]
pub struct Gateway {
    /// All authenticators.
    pub authenticators: Vec<Authenticator>,
    /// The key sets of providers, each with its configuration path.
    pub key_sources: Vec<(String, SourceConfig)>,
    /// The revocation lists of providers, each with its configuration path.
    pub revocation_sources: Vec<(String, SourceConfig)>,
    /// Where requests go.
    pub table: Table,
    /// The routes, by their id: the order of the file.
    pub routes: Vec<Route>,
    /// What happens to a path that no route has.
    pub unmatched: Unmatched,
    /// The class of such a path's policy; none where it is refused.
    pub unmatched_class: Option<usize>,
    /// Whether a CORS preflight passes without a credential.
    pub forward_preflight: bool,
    /// How paths are normalised.
    pub path_policy: PathPolicy,
    /// Whether denials are carried out where no route says otherwise.
    pub mode: Mode,
    /// How denials are written.
    pub responses: Responses,
    /// Origins that may make unsafe requests with cookies; none where origins are not checked.
    pub csrf_origins: Option<Vec<String>>,
    /// Header names that services take for identity, folded: no client may set them.
    pub identity_headers: NameSet,
    /// Query parameters of that kind.
    pub identity_query: NameSet,
    /// Who tells services in a token who calls them, if anybody.
    pub identity_token: Option<Issuer>,
    /// Headers by which a client could make a service see another method or path, folded.
    pub override_headers: NameSet,
    /// How many requests pass, whatever their route.
    pub rate_limit: Option<Limit>,
    /// Whether the host is told for whom a request counts.
    pub limit_key: bool,
    /// Whether signatures are left to the host, as far as it verifies any.
    pub host_crypto: bool,
    /// How many verified tokens are kept for each authenticator.
    pub cached_tokens: NonZeroUsize,
    /// Of which decisions there is a line in the log.
    pub audit: Audit,
}

/// One entry of `paths`.
#[derive(Debug)]
pub struct Route {
    /// Its place and path, for people: `paths[3] /proxy/{.+}`.
    pub label: Rc<str>,
    /// Its methods, hosts and path, for audit lines: `GET,POST api.example.com /orders/{.+}`.
    pub name: Rc<str>,
    /// Its path.
    pub template: Template,
    /// Who may call; none for everyone.
    pub policy: Option<Policy>,
    /// Routes with one number decide alike about a request.
    pub class: usize,
    /// Whether denials are carried out.
    pub mode: Mode,
    /// Whether `%2F` may stand inside a segment.
    pub keeps_encoded_slash: bool,
    /// How many requests pass.
    pub rate_limit: Option<Limit>,
    /// Where requests go; none to leave that to the host.
    pub integration: Option<Integration>,
    /// Whom an identity token on this route is for; none where there is none, as on a public route.
    pub audience: Option<String>,
    /// What is set on forwarded requests.
    pub mapping: Mapping,
    /// Mapped headers that other routes leave alone, folded.
    pub own_headers: NameSet,
    /// Mapped query parameters, folded.
    pub own_query: NameSet,
}

/// Where a route sends its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integration {
    /// The host's name for the service.
    pub cluster: String,
    /// The authority that the service expects.
    pub authority: Option<String>,
    /// What stands before the forwarded path: empty, or `/base`.
    pub base_path: String,
}

/// What happens to a path that no route has.
#[derive(Debug)]
pub enum Unmatched {
    /// 404
    Reject,
    /// The default authentication, then forwarded without identity.
    Authenticate(Box<Policy>),
    /// Forwarded as a public route.
    Forward,
}

/// Whether denials are carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// They are.
    #[default]
    Enforce,
    /// They are counted, and the request is forwarded without identity.
    Shadow,
}

impl Gateway {
    /// The route with this id.
    #[must_use]
    pub fn route(&self, id: RouteId) -> Option<&Route> {
        self.routes.get(id)
    }
}

/// What gatepost's own headers begin with: no client may set one.
pub const RESERVED_PREFIX: &str = "x-gatepost-";

/// The header that tells the host for whom a request counts.
pub const LIMIT_KEY_HEADER: &str = "x-gatepost-limit-key";

/// The header that tells the host which cluster a request goes to.
pub const CLUSTER_HEADER: &str = "x-gatepost-cluster";
