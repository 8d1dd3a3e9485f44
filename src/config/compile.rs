//! From the members of a configuration to a [`Gateway`]: what they mean together.

use std::num::NonZeroUsize;

use super::{
    Environment,
    authenticator::compile_authenticator,
    decode::{Errors, Items, Member, good_items, index_path, member_path},
    error::ConfigErrorKind,
    gateway::{Gateway, Integration, Mode, RESERVED_PREFIX, Unmatched},
    identity_token::{IdentityTokenNames, compile_identity_token},
    limit::compile_limit,
    policy::Names,
    provider::ProviderSources,
    routes::{Routes, compile_routes},
    schema::{
        AuditSchema, AuthenticatorSchema, CryptoSchema, FormatSchema, GatewaySchema, ModeSchema, PathPolicySchema,
        PreflightSchema, ResponsesSchema, ServerSchema, SwitchSchema, UnmatchedSchema,
    },
};
use crate::{
    audit::Audit,
    auth::{Authenticator, Method},
    deny::{Format, Responses},
    jose::claims::Accepted,
    limit::Place,
    query,
    request::{folded_name, is_token, split_http_url},
    route::path::{NormalPath, PathPolicy},
    strip::NameSet,
};

/// Compiles a configuration whose members have been read. `None` means that an error was reported.
pub fn compile(schema: &GatewaySchema, environment: Environment<'_>, errors: &mut Errors) -> Option<Gateway> {
    let mut provider_sources = ProviderSources::default();
    let (names, authenticators) = compile_authenticators(schema, environment, &mut provider_sources, errors);
    let path_policy = match schema.path_policy.get() {
        Some(PathPolicySchema::Normalize) => PathPolicy::Normalize,
        Some(PathPolicySchema::Strict) | None => PathPolicy::Strict,
    };
    let servers = Servers::compile(&schema.servers, errors);
    let variables = schema.variables.get().map(|variables| variables.0.as_slice());
    let mode = compile_mode(&schema.mode, Mode::Enforce);
    let variables = variables.unwrap_or_default();
    let identity_token = compile_identity_token(schema, environment, errors);
    let token_names = IdentityTokenNames::of(&schema.identity_token);
    let context =
        Routes { names: &names, servers: &servers, variables, identity_token: token_names.as_ref(), path_policy, mode };
    let mut compiled = compile_routes(schema, &context, errors);
    let unmatched = compile_unmatched(schema, &names, errors);
    let unmatched_class = match &unmatched {
        None | Some(Unmatched::Reject) => None,
        Some(Unmatched::Forward) => Some(compiled.classes.of(None, mode, None)),
        Some(Unmatched::Authenticate(policy)) => Some(compiled.classes.of(Some(policy), mode, None)),
    };
    let mut identity_headers = compiled.identity_headers;
    identity_headers.insert_prefix(RESERVED_PREFIX.to_owned());
    if let Some(names) = token_names {
        identity_headers.insert(names.header);
    }
    for (index, name) in items(&schema.identity_headers) {
        let path = index_path("identity_headers", index);
        let fold = |name: &str| folded_name(name).into_owned();
        insert_pattern(&mut identity_headers, name, is_identity_header, fold, path, errors);
    }
    let mut identity_query = NameSet::default();
    for (index, name) in items(&schema.identity_query) {
        let path = index_path("identity_query", index);
        insert_pattern(&mut identity_query, name, |_, _| true, query::folded_name, path, errors);
    }
    let responses = compile_responses(schema.responses.get(), errors);
    let csrf_origins = compile_csrf(schema, errors);
    let override_headers = compile_override_headers(schema, errors);
    let cached_tokens = compile_cache(schema, errors);
    let rate_limit = compile_limit(&schema.rate_limit, "default", Place::new(&["rate_limit"]), "rate_limit", errors);
    // Only now, so that one error hides no other.
    Some(Gateway {
        authenticators: authenticators.into_iter().collect::<Option<_>>().map(part_issuers)?,
        key_sources: provider_sources.keys,
        revocation_sources: provider_sources.revocations,
        table: compiled.table,
        routes: compiled.routes.into_iter().collect::<Option<_>>()?,
        unmatched: unmatched?,
        unmatched_class,
        forward_preflight: schema.cors_preflight.get() != Some(&PreflightSchema::Authenticate),
        path_policy,
        mode,
        responses,
        csrf_origins,
        identity_headers,
        identity_query,
        identity_token: identity_token?,
        override_headers,
        rate_limit: rate_limit?,
        limit_key: schema.limit_key.get().copied().unwrap_or(false),
        host_crypto: schema.crypto.get() == Some(&CryptoSchema::Host),
        cached_tokens: cached_tokens?,
        audit: compile_audit(schema.audit.get()),
    })
}

/// What routes can send requests to.
pub enum Servers {
    /// The configuration has no `servers`: routes name clusters.
    Clusters,
    /// By alias; none where the entry has an error.
    Aliases(Vec<(String, Option<Integration>)>),
    /// `servers` could not be read, which was reported.
    Unknown,
}

impl Servers {
    fn compile(schema: &Member<Items<ServerSchema>>, errors: &mut Errors) -> Self {
        let servers = match schema {
            Member::Absent => return Self::Clusters,
            Member::Bad => return Self::Unknown,
            Member::Good(servers) => &servers.0,
        };
        let mut by_alias: Vec<(String, Option<Integration>)> = Vec::new();
        for (index, server) in servers.iter().enumerate() {
            let (path, Some(server)) = (index_path("servers", index), server) else {
                continue;
            };
            let integration = compile_server(server, &path, errors);
            let Some(alias) = server.alias.get() else {
                continue;
            };
            if alias.is_empty() {
                errors.push(member_path(&path, "alias"), ConfigErrorKind::Empty);
            }
            if by_alias.iter().any(|(other, _)| other == alias) {
                errors.push(member_path(&path, "alias"), ConfigErrorKind::Repeated);
            }
            by_alias.push((alias.clone(), integration));
        }
        Self::Aliases(by_alias)
    }

    /// What a route's `server` names. `Err` where it names nothing; `Ok(None)` where its error was reported already.
    pub fn find(&self, name: &str) -> Result<Option<Integration>, ConfigErrorKind> {
        match self {
            Self::Unknown => Ok(None),
            Self::Clusters if name.is_empty() => Err(ConfigErrorKind::Empty),
            Self::Clusters if !is_header_value(name) => Err(ConfigErrorKind::Invalid("the name of a cluster")),
            Self::Clusters => {
                Ok(Some(Integration { cluster: name.to_owned(), authority: None, base_path: String::new() }))
            }
            Self::Aliases(servers) => match servers.iter().find(|(alias, _)| alias == name) {
                Some((_, integration)) => Ok(integration.clone()),
                None => Err(ConfigErrorKind::Dangling { what: "server", name: name.to_owned() }),
            },
        }
    }
}

/// The mode that a schema asks for.
pub fn compile_mode(schema: &Member<ModeSchema>, default: Mode) -> Mode {
    match schema.get() {
        Some(ModeSchema::Enforce) => Mode::Enforce,
        Some(ModeSchema::Shadow) => Mode::Shadow,
        None => default,
    }
}

/// Whether a text can be a header's name (RFC 9110 §5.1).
pub fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(is_token)
}

fn compile_unmatched(schema: &GatewaySchema, names: &Names, errors: &mut Errors) -> Option<Unmatched> {
    let unmatched = match &schema.unmatched {
        Member::Bad => None,
        Member::Absent | Member::Good(UnmatchedSchema::Reject) => Some(Unmatched::Reject),
        Member::Good(UnmatchedSchema::Forward) => Some(Unmatched::Forward),
        Member::Good(UnmatchedSchema::Authenticate) => {
            names.default_policy("unmatched", errors).map(|policy| Unmatched::Authenticate(Box::new(policy)))
        }
    };
    if schema.paths.is_absent() && matches!(unmatched, Some(Unmatched::Reject)) {
        errors.push("paths".to_owned(), ConfigErrorKind::Required);
    }
    if schema.paths.get().is_some_and(|paths| paths.0.is_empty()) {
        errors.push("paths".to_owned(), ConfigErrorKind::Empty);
    }
    unmatched
}

fn compile_authenticators(
    schema: &GatewaySchema,
    environment: Environment<'_>,
    provider_sources: &mut ProviderSources,
    errors: &mut Errors,
) -> (Names, Vec<Option<Authenticator>>) {
    let mut names = Vec::new();
    let mut authenticators = Vec::new();
    let mut compile = |name: &str, schema: Option<&AuthenticatorSchema>, path: &str, errors: &mut Errors| {
        names.push(name.to_owned());
        let compiled =
            schema.and_then(|schema| compile_authenticator(name, schema, path, environment, provider_sources, errors));
        authenticators.push(compiled);
    };
    let named = schema.authenticators.get().map(|named| named.0.as_slice()).unwrap_or_default();
    for (name, authenticator) in named {
        let path = member_path("authenticators", name);
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(is_name) {
            let form = "a name of 1 to 64 letters, digits, `-` and `_`";
            errors.push(path.clone(), ConfigErrorKind::Invalid(form));
        }
        compile(name, authenticator.as_ref(), &path, errors);
    }
    if !schema.authorizer.is_absent() {
        if named.iter().any(|(name, _)| name == SHORTHAND_NAME) {
            let rule = "`authenticators` has a `default` already; give one or the other";
            errors.push("authorizer".to_owned(), ConfigErrorKind::Contradiction(rule));
        }
        compile(SHORTHAND_NAME, schema.authorizer.get(), "authorizer", errors);
    }
    let names = Names::new(names, &schema.default_auth, matches!(schema.authenticators, Member::Bad));
    if let Some(default) = schema.default_auth.get()
        && let Err(Some(kind)) = names.find(default)
    {
        errors.push("default_auth".to_owned(), kind);
    }
    (names, authenticators)
}

/// Tells the authenticators that ask a provider which tokens are another one's business.
fn part_issuers(mut authenticators: Vec<Authenticator>) -> Vec<Authenticator> {
    let issuers = |authenticator: &Authenticator| match &authenticator.method {
        Method::Jwt(method) => Some(method.expectations.issuers.clone()),
        Method::Introspection(_) | Method::ApiKey(_) | Method::Mtls(_) | Method::Hmac(_) => None,
    };
    let accepted: Vec<Accepted> = authenticators.iter().filter_map(issuers).collect();
    let named = accepted.iter().flat_map(|accepted| match accepted {
        Accepted::These(issuers) => issuers.as_slice(),
        Accepted::Any => &[],
    });
    let named: Vec<&String> = named.collect();
    for authenticator in &mut authenticators {
        match &mut authenticator.method {
            Method::Introspection(method) if accepted.contains(&Accepted::Any) => method.jwt_issuers = Accepted::Any,
            Method::Introspection(method) => {
                method.jwt_issuers = Accepted::These(named.iter().copied().cloned().collect());
            }
            Method::Jwt(method) => {
                if let Accepted::These(own) = &method.expectations.issuers {
                    let foreign = named.iter().filter(|issuer| !own.contains(issuer));
                    method.foreign_issuers = foreign.copied().cloned().collect();
                }
            }
            Method::ApiKey(_) | Method::Mtls(_) | Method::Hmac(_) => {}
        }
    }
    authenticators
}

fn compile_server(server: &ServerSchema, path: &str, errors: &mut Errors) -> Option<Integration> {
    let cluster = if server.cluster.is_absent() { server.alias.get() } else { server.cluster.get() };
    let bad = cluster.is_some_and(|cluster| cluster.is_empty() || !is_header_value(cluster));
    if bad {
        errors.push(member_path(path, "cluster"), ConfigErrorKind::Invalid("the name of a cluster"));
    }
    let url = match &server.url {
        Member::Absent => Some((None, String::new())),
        Member::Bad => None,
        Member::Good(url) => {
            let parts = split_url(url);
            if parts.is_none() {
                let form = "an http or https URL without user, query and fragment, whose path servers read in one way";
                errors.push(member_path(path, "url"), ConfigErrorKind::Invalid(form));
            }
            parts.map(|(authority, path)| (Some(authority), path))
        }
    };
    let (authority, base_path) = url?;
    Some(Integration { cluster: cluster.filter(|_| !bad)?.clone(), authority, base_path })
}

/// The authority and the path of a URL, its trailing slash off.
fn split_url(url: &str) -> Option<(String, String)> {
    let (_, authority, path) = split_http_url(url)?;
    if !path.is_empty() {
        let normal = NormalPath::new(path.as_bytes(), PathPolicy::Strict).ok()?;
        if normal.has_encoded_slash() || path.contains('?') {
            return None;
        }
    }
    Some((authority.to_owned(), path.trim_end_matches('/').to_owned()))
}

fn insert_pattern(
    set: &mut NameSet,
    pattern: &str,
    valid: impl Fn(&str, bool) -> bool,
    fold: impl Fn(&str) -> String,
    path: String,
    errors: &mut Errors,
) {
    let (name, prefix) = match pattern.strip_suffix('*') {
        Some(name) => (name, true),
        None => (pattern, false),
    };
    let folded = fold(name);
    if folded.is_empty() || name.contains('*') || !valid(name, prefix) {
        let form = "a name, or the beginning of one and a `*`";
        errors.push(path, ConfigErrorKind::Invalid(form));
    } else if prefix {
        set.insert_prefix(folded);
    } else {
        set.insert(folded);
    }
}

fn compile_override_headers(schema: &GatewaySchema, errors: &mut Errors) -> NameSet {
    let allowed: Vec<(usize, String)> =
        items(&schema.allow_override_headers).map(|(index, name)| (index, name.to_ascii_lowercase())).collect();
    for (index, name) in &allowed {
        if !OVERRIDE_HEADERS.contains(&name.as_str()) {
            let path = index_path("allow_override_headers", *index);
            errors.push(path, ConfigErrorKind::NotOneOf { known: &OVERRIDE_HEADERS });
        }
    }
    let mut removed = NameSet::default();
    for name in OVERRIDE_HEADERS.iter().filter(|name| !allowed.iter().any(|(_, allowed)| allowed == *name)) {
        removed.insert((*name).to_owned());
    }
    removed
}

fn compile_responses(schema: Option<&ResponsesSchema>, errors: &mut Errors) -> Responses {
    let Some(schema) = schema else {
        return Responses::default();
    };
    let mut text = |name: &str, value: &Member<String>| {
        if value.get().is_some_and(|value| value.is_empty() || !is_header_value(value)) {
            let form = "printable ASCII that is not empty";
            errors.push(member_path("responses", name), ConfigErrorKind::Invalid(form));
        }
        value.get().cloned()
    };
    let realm = text("realm", &schema.realm);
    let resource_metadata = text("resource_metadata", &schema.resource_metadata);
    let cors_origins = compile_origins(&schema.cors_origins, "responses.cors_origins", errors);
    Responses {
        realm,
        format: match schema.format.get() {
            Some(FormatSchema::Problem) => Format::Problem,
            Some(FormatSchema::Json) | None => Format::Json,
        },
        resource_metadata,
        cors_origins,
    }
}

fn compile_csrf(schema: &GatewaySchema, errors: &mut Errors) -> Option<Vec<String>> {
    let origins = compile_origins(&schema.csrf_origins, "csrf_origins", errors);
    if schema.csrf.get() == Some(&SwitchSchema::Off) {
        if !schema.csrf_origins.is_absent() {
            let rule = "has no effect with `\"csrf\": \"off\"`; leave out one of them";
            errors.push("csrf_origins".to_owned(), ConfigErrorKind::Contradiction(rule));
        }
        return None;
    }
    Some(origins)
}

fn compile_cache(schema: &GatewaySchema, errors: &mut Errors) -> Option<NonZeroUsize> {
    let Some(cache) = schema.cache.get() else {
        return Some(DEFAULT_CACHED_TOKENS);
    };
    let tokens = cache.tokens.or_default(DEFAULT_CACHED_TOKENS)?;
    if tokens > MOST_CACHED_TOKENS {
        let form = "at most 1000000: each takes some kilobytes of each worker's memory";
        errors.push("cache.tokens".to_owned(), ConfigErrorKind::Invalid(form));
        return None;
    }
    Some(tokens)
}

fn compile_audit(schema: Option<&AuditSchema>) -> Audit {
    let Audit { denied, allowed } = Audit::default();
    let Some(schema) = schema else {
        return Audit { denied, allowed };
    };
    let switch = |member: &Member<bool>, default| member.get().copied().unwrap_or(default);
    Audit { denied: switch(&schema.denied, denied), allowed: switch(&schema.allowed, allowed) }
}

fn compile_origins(origins: &Member<Items<String>>, path: &str, errors: &mut Errors) -> Vec<String> {
    for (index, origin) in items(origins) {
        let good = origin.split_once("://").is_some_and(|(scheme, host)| {
            let host_good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._:[]".contains(&byte);
            !scheme.is_empty()
                && scheme
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte))
                && !host.is_empty()
                && host.bytes().all(host_good)
        });
        if !good {
            let form = "an origin as browsers write it: scheme://host or scheme://host:port, in lower case";
            errors.push(index_path(path, index), ConfigErrorKind::Invalid(form));
        }
    }
    items(origins).map(|(_, origin)| origin.clone()).collect()
}

/// The items of a list that could be read, with their indices.
fn items(list: &Member<Items<String>>) -> impl Iterator<Item = (usize, &String)> {
    list.get().into_iter().flat_map(|items| good_items(&items.0))
}

/// Whether a header, or all that begin with a name, may be taken for identity: none that frames or routes a message.
fn is_identity_header(name: &str, prefix: bool) -> bool {
    let folded = folded_name(name);
    let hits = |header: &&str| if prefix { header.starts_with(&*folded) } else { **header == *folded };
    is_header_name(name) && !FRAMING_HEADERS.iter().any(hits)
}

/// Whether a text is printable ASCII, as a header that gatepost writes has to be.
pub fn is_header_value(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') && text.trim() == text
}

/// The name of the authenticator that `authorizer` declares.
const SHORTHAND_NAME: &str = "default";

/// Hop-by-hop headers (RFC 9110 §7.6.1), and those that frame or route a message.
pub const FRAMING_HEADERS: [&str; 11] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// How many tokens each worker may keep for an authenticator.
pub const MOST_CACHED_TOKENS: NonZeroUsize = NonZeroUsize::new(1_000_000).unwrap();

const DEFAULT_CACHED_TOKENS: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// Headers by which some services take another method or path than the request's own.
pub const OVERRIDE_HEADERS: [&str; 6] = [
    "x-original-url",
    "x-rewrite-url",
    "x-envoy-original-path",
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
];
