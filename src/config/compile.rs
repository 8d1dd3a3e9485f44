//! From the members of a configuration to a [`Gateway`]: what they mean together.

use std::num::NonZeroUsize;

use super::{
    Environment,
    authenticator::compile_authenticator,
    decode::{Errors, Items, index_path, member_path},
    error::ConfigErrorKind,
    gateway::{CLUSTER_HEADER, Gateway, Integration, Mode, Unmatched},
    policy::Names,
    routes::{Routes, compile_routes},
    schema::{
        FormatSchema, GatewaySchema, ModeSchema, PathPolicySchema, PreflightSchema, ResponsesSchema, ServerSchema,
        SwitchSchema, UnmatchedSchema,
    },
};
use crate::{
    auth::Authenticator,
    deny::{Format, Responses},
    query,
    request::{folded_name, is_token},
    route::path::{NormalPath, PathPolicy},
    strip::NameSet,
};

/// Compiles a configuration whose members have been read. `None` means that an error was reported.
pub fn compile(schema: &GatewaySchema, environment: Environment<'_>, errors: &mut Errors) -> Option<Gateway> {
    let (names, authenticators) = compile_authenticators(schema, environment, errors);
    let path_policy = match schema.path_policy {
        Some(PathPolicySchema::Normalize) => PathPolicy::Normalize,
        Some(PathPolicySchema::Strict) | None => PathPolicy::Strict,
    };
    let servers = Servers::compile(schema.servers.as_ref(), errors);
    let variables = schema.variables.as_ref().map(|variables| &variables.0);
    let mode = compile_mode(schema.mode, Mode::Enforce);
    let routes = Routes {
        names: &names,
        servers: &servers,
        variables: variables.map(Vec::as_slice).unwrap_or_default(),
        path_policy,
        mode,
    };
    let compiled = compile_routes(schema, &routes, errors);
    let unmatched = match schema.unmatched {
        None | Some(UnmatchedSchema::Reject) => Some(Unmatched::Reject),
        Some(UnmatchedSchema::Forward) => Some(Unmatched::Forward),
        Some(UnmatchedSchema::Authenticate) => {
            let policy = names.default_policy("unmatched", errors);
            policy.map(Unmatched::Authenticate)
        }
    };
    match &schema.paths {
        None if matches!(unmatched, Some(Unmatched::Reject)) => {
            errors.push("paths".to_owned(), ConfigErrorKind::Required);
        }
        Some(paths) if paths.0.is_empty() => errors.push("paths".to_owned(), ConfigErrorKind::Empty),
        _ => {}
    }
    let mut identity_headers = compiled.identity_headers;
    let prefix = CLUSTER_HEADER.trim_end_matches("cluster");
    identity_headers.insert_prefix(prefix.to_owned());
    for (index, name) in schema.identity_headers.iter().flatten().enumerate() {
        let path = index_path("identity_headers", index);
        insert_pattern(
            &mut identity_headers,
            name,
            is_header_name,
            |name| folded_name(name).into_owned(),
            path,
            errors,
        );
    }
    let mut identity_query = NameSet::default();
    for (index, name) in schema.identity_query.iter().flatten().enumerate() {
        let path = index_path("identity_query", index);
        insert_pattern(&mut identity_query, name, |_| true, |name| query::folded_name(name.as_bytes()), path, errors);
    }
    let mut classes = compiled.classes;
    let unmatched = unmatched?;
    let unmatched_class = match &unmatched {
        Unmatched::Reject => None,
        Unmatched::Forward => Some(classes.of(None, mode)),
        Unmatched::Authenticate(policy) => Some(classes.of(Some(policy), mode)),
    };
    Some(Gateway {
        authenticators: authenticators.into_iter().collect::<Option<_>>()?,
        table: compiled.table,
        routes: compiled.routes.into_iter().collect::<Option<_>>()?,
        unmatched,
        unmatched_class,
        forward_preflight: schema.cors_preflight != Some(PreflightSchema::Authenticate),
        path_policy,
        mode,
        responses: compile_responses(schema.responses.as_ref(), errors),
        csrf_origins: compile_csrf(schema, errors),
        identity_headers,
        identity_query,
        override_headers: compile_override_headers(schema, errors),
        cached_tokens: schema.cache.as_ref().and_then(|cache| cache.tokens).unwrap_or(DEFAULT_CACHED_TOKENS),
    })
}

/// What routes can send requests to.
pub struct Servers {
    /// None where the configuration has no `servers`: routes then name clusters.
    by_alias: Option<Vec<(String, Option<Integration>)>>,
}

impl Servers {
    fn compile(schema: Option<&Items<ServerSchema>>, errors: &mut Errors) -> Self {
        let Some(schema) = schema else {
            return Self { by_alias: None };
        };
        let mut by_alias: Vec<(String, Option<Integration>)> = Vec::new();
        for (index, server) in schema.0.iter().enumerate() {
            let Some(server) = server else {
                continue;
            };
            let path = index_path("servers", index);
            if server.alias.is_empty() {
                errors.push(member_path(&path, "alias"), ConfigErrorKind::Empty);
            }
            if by_alias.iter().any(|(alias, _)| *alias == server.alias) {
                errors.push(member_path(&path, "alias"), ConfigErrorKind::Repeated);
            }
            by_alias.push((server.alias.clone(), compile_server(server, &path, errors)));
        }
        Self { by_alias: Some(by_alias) }
    }

    /// What a route's `server` names. `Err` where it names nothing; `Ok(None)` where its error was reported already.
    pub fn find(&self, name: &str) -> Result<Option<Integration>, ConfigErrorKind> {
        match &self.by_alias {
            None if name.is_empty() => Err(ConfigErrorKind::Empty),
            None if !is_header_value(name) => Err(ConfigErrorKind::Invalid("the name of a cluster")),
            None => Ok(Some(Integration { cluster: name.to_owned(), authority: None, base_path: String::new() })),
            Some(servers) => match servers.iter().find(|(alias, _)| alias == name) {
                Some((_, integration)) => Ok(integration.clone()),
                None => Err(ConfigErrorKind::Dangling { what: "server", name: name.to_owned() }),
            },
        }
    }
}

/// The mode that a schema asks for.
pub fn compile_mode(schema: Option<ModeSchema>, default: Mode) -> Mode {
    match schema {
        Some(ModeSchema::Enforce) => Mode::Enforce,
        Some(ModeSchema::Shadow) => Mode::Shadow,
        None => default,
    }
}

/// Whether a text can be a header's name (RFC 9110 §5.1).
pub fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(is_token)
}

fn compile_authenticators(
    schema: &GatewaySchema,
    environment: Environment<'_>,
    errors: &mut Errors,
) -> (Names, Vec<Option<Authenticator>>) {
    let mut names = Vec::new();
    let mut authenticators = Vec::new();
    for (name, authenticator) in schema.authenticators.iter().flat_map(|named| &named.0) {
        let path = member_path("authenticators", name);
        let good = !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !good {
            let form = "a name of 1 to 64 letters, digits, `-` and `_`";
            errors.push(path.clone(), ConfigErrorKind::Invalid(form));
        }
        names.push(name.clone());
        let authenticator = authenticator.as_ref();
        authenticators
            .push(authenticator.and_then(|schema| compile_authenticator(name, schema, &path, environment, errors)));
    }
    if let Some(authorizer) = &schema.authorizer {
        if names.iter().any(|name| name == SHORTHAND_NAME) {
            let rule = "`authenticators` has a `default` already; give one or the other";
            errors.push("authorizer".to_owned(), ConfigErrorKind::Contradiction(rule));
        }
        names.push(SHORTHAND_NAME.to_owned());
        let compile = |schema, errors: &mut Errors| {
            compile_authenticator(SHORTHAND_NAME, schema, "authorizer", environment, errors)
        };
        authenticators.push(authorizer.0.as_ref().and_then(|schema| compile(schema, errors)));
    }
    let default = schema.default_auth.as_ref();
    if let Some(default) = default.filter(|default| !names.contains(default)) {
        let name = default.clone();
        errors.push("default_auth".to_owned(), ConfigErrorKind::Dangling { what: "authenticator", name });
    }
    (Names::new(names, default.cloned()), authenticators)
}

fn compile_server(server: &ServerSchema, path: &str, errors: &mut Errors) -> Option<Integration> {
    let cluster = server.cluster.as_ref().unwrap_or(&server.alias);
    if !is_header_value(cluster) || cluster.is_empty() {
        errors.push(member_path(path, "cluster"), ConfigErrorKind::Invalid("the name of a cluster"));
        return None;
    }
    let integration = Integration { cluster: cluster.clone(), authority: None, base_path: String::new() };
    let Some(url) = &server.url else {
        return Some(integration);
    };
    match split_url(url) {
        Some((authority, base_path)) => Some(Integration { authority: Some(authority), base_path, ..integration }),
        None => {
            let form = "an http or https URL without user, query and fragment, whose path servers read in one way";
            errors.push(member_path(path, "url"), ConfigErrorKind::Invalid(form));
            None
        }
    }
}

/// The authority and the path of a URL, its trailing slash off.
fn split_url(url: &str) -> Option<(String, String)> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let (authority, path) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len()))?;
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(&byte);
    if authority.is_empty() || !authority.bytes().all(good) {
        return None;
    }
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
    valid: impl Fn(&str) -> bool,
    fold: impl Fn(&str) -> String,
    path: String,
    errors: &mut Errors,
) {
    let (name, prefix) = match pattern.strip_suffix('*') {
        Some(name) => (name, true),
        None => (pattern, false),
    };
    let folded = fold(name);
    if folded.is_empty() || name.contains('*') || !valid(name) {
        let form = "a name, or the beginning of one and a `*`";
        errors.push(path, ConfigErrorKind::Invalid(form));
    } else if prefix {
        set.insert_prefix(folded);
    } else {
        set.insert(folded);
    }
}

fn compile_override_headers(schema: &GatewaySchema, errors: &mut Errors) -> NameSet {
    let allowed = schema.allow_override_headers.iter().flatten();
    let allowed: Vec<String> = allowed.map(|name| name.to_ascii_lowercase()).collect();
    for (index, name) in allowed.iter().enumerate() {
        if !OVERRIDE_HEADERS.contains(&name.as_str()) {
            let path = index_path("allow_override_headers", index);
            errors.push(path, ConfigErrorKind::NotOneOf { known: &OVERRIDE_HEADERS });
        }
    }
    let mut removed = NameSet::default();
    for name in OVERRIDE_HEADERS.iter().filter(|name| !allowed.iter().any(|allowed| allowed == *name)) {
        removed.insert((*name).to_owned());
    }
    removed
}

fn compile_responses(schema: Option<&ResponsesSchema>, errors: &mut Errors) -> Responses {
    let Some(schema) = schema else {
        return Responses::default();
    };
    let mut text = |name: &str, value: &Option<String>| {
        if value.as_ref().is_some_and(|value| value.is_empty() || !is_header_value(value)) {
            let form = "printable ASCII that is not empty";
            errors.push(member_path("responses", name), ConfigErrorKind::Invalid(form));
        }
        value.clone()
    };
    let realm = text("realm", &schema.realm);
    let resource_metadata = text("resource_metadata", &schema.resource_metadata);
    check_origins(schema.cors_origins.as_deref(), "responses.cors_origins", errors);
    Responses {
        realm,
        format: match schema.format {
            Some(FormatSchema::Problem) => Format::Problem,
            Some(FormatSchema::Json) | None => Format::Json,
        },
        resource_metadata,
        cors_origins: schema.cors_origins.clone().unwrap_or_default(),
    }
}

fn compile_csrf(schema: &GatewaySchema, errors: &mut Errors) -> Option<Vec<String>> {
    check_origins(schema.csrf_origins.as_deref(), "csrf_origins", errors);
    if schema.csrf == Some(SwitchSchema::Off) {
        if schema.csrf_origins.is_some() {
            let rule = "has no effect with `\"csrf\": \"off\"`; leave out one of them";
            errors.push("csrf_origins".to_owned(), ConfigErrorKind::Contradiction(rule));
        }
        return None;
    }
    Some(schema.csrf_origins.clone().unwrap_or_default())
}

fn check_origins(origins: Option<&[String]>, path: &str, errors: &mut Errors) {
    for (index, origin) in origins.unwrap_or_default().iter().enumerate() {
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
}

/// Whether a text is printable ASCII, as a header that gatepost writes has to be.
fn is_header_value(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') && text.trim() == text
}

/// The name of the authenticator that `authorizer` declares.
const SHORTHAND_NAME: &str = "default";

const DEFAULT_CACHED_TOKENS: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// Headers by which some services take another method or path than the request's own.
const OVERRIDE_HEADERS: [&str; 6] = [
    "x-original-url",
    "x-rewrite-url",
    "x-envoy-original-path",
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
];
