//! Compiling routes: their paths, hosts and methods into a table, and all else into what the table leads to.

use std::collections::HashSet;

use super::{
    compile::{Servers, compile_mode},
    decode::{Errors, Member, NonEmpty, good_items, index_path, member_path},
    error::ConfigErrorKind,
    gateway::{Integration, Mode, Route},
    identity_token::IdentityTokenNames,
    limit::compile_limit,
    mapping::{RouteNames, compile_mapping, is_shared_header},
    policy::{Names, compile_auth},
    schema::{EncodedSlashSchema, GatewaySchema, IntegrationSchema, PathSchema},
};
use crate::{
    auth::policy::{Policy, Rule},
    limit::{By, Limit, Place, rate::Rate},
    query,
    request::{folded_name, split_authority},
    route::{
        path::PathPolicy,
        table::{HostPattern, Methods, Table},
        template::Template,
    },
    strip::NameSet,
};

/// What routes refer to.
pub struct Routes<'a> {
    pub names: &'a Names,
    pub servers: &'a Servers,
    pub variables: &'a [(String, Option<String>)],
    pub identity_token: Option<&'a IdentityTokenNames>,
    pub path_policy: PathPolicy,
    pub mode: Mode,
}

/// The routes, compiled; those with an error are none.
pub struct CompiledRoutes {
    pub table: Table,
    pub routes: Vec<Option<Route>>,
    /// Every header name that some route maps, folded, but those that services read for other things.
    pub identity_headers: NameSet,
    pub classes: Classes,
}

/// Numbers for policies that decide alike.
#[derive(Default)]
pub struct Classes(Vec<Class>);

/// Who may call, whether denials are carried out, and how often one may call: who can reach a limited route by a path that
/// is not limited alike is not limited.
type Class = (Option<(Rule, bool)>, Mode, Option<(Rate, By)>);

/// Compiles all routes.
pub fn compile_routes(schema: &GatewaySchema, context: &Routes<'_>, errors: &mut Errors) -> CompiledRoutes {
    let mut compiled = CompiledRoutes {
        table: Table::default(),
        routes: Vec::new(),
        identity_headers: NameSet::default(),
        classes: Classes::default(),
    };
    for (index, path_schema) in schema.paths.get().into_iter().flat_map(|paths| &paths.0).enumerate() {
        let path = index_path("paths", index);
        let route =
            path_schema.as_ref().and_then(|schema| compile_route(schema, index, &path, context, &mut compiled, errors));
        compiled.routes.push(route);
    }
    compiled
}

impl Classes {
    /// The number of a policy.
    pub fn of(&mut self, policy: Option<&Policy>, mode: Mode, limit: Option<&Limit>) -> usize {
        let policy = policy.map(|policy| (policy.rule.clone(), policy.optional));
        let class = match policy {
            None if limit.is_none() => (None, Mode::Enforce, None), // a public route denies nothing
            policy => (policy, mode, limit.map(|limit| (limit.rate, limit.by))),
        };
        let known = self.0.iter().position(|other| *other == class);
        known.unwrap_or_else(|| {
            self.0.push(class);
            self.0.len().saturating_sub(1)
        })
    }
}

fn compile_route(
    schema: &PathSchema,
    index: usize,
    path: &str,
    context: &Routes<'_>,
    compiled: &mut CompiledRoutes,
    errors: &mut Errors,
) -> Option<Route> {
    let place = |name: &str| member_path(path, name);
    let methods = schema.method.get().and_then(|methods| compile_methods(&methods.0, &place("method"), errors));
    let hosts = compile_hosts(&schema.hosts, &place("hosts"), errors);
    let policy = schema.auth.get().and_then(|auth| compile_auth(auth, context.names, &place("auth"), errors));
    let integration = compile_integration(&schema.integration, context.servers, &place("integration"), errors);
    let template = schema.path.get().map(|text| Template::parse(text, context.path_policy)).transpose();
    let template = template.unwrap_or_else(|error| {
        errors.push(place("path"), ConfigErrorKind::Template(error));
        None
    });
    if let (Some(methods), Some(hosts), Some(template)) = (&methods, &hosts, &template) {
        let case_insensitive = schema.case_insensitive.get().copied().unwrap_or(false);
        for host in hosts {
            if let Err(other) = compiled.table.insert(host, template, case_insensitive, methods, index) {
                errors.push(path.to_owned(), ConfigErrorKind::SameRoute { other });
                break;
            }
        }
    }
    let own = schema.variables.get().into_iter().flat_map(|variables| &variables.0);
    let readers =
        policy.as_ref().map(|policy| policy.as_ref().map(|policy| policy.readers.as_slice()).unwrap_or_default());
    let names = RouteNames {
        names: context.names,
        readers,
        template: template.as_ref(),
        identity_token_header: context.identity_token.map(|names| names.header.as_str()),
        variables: own.chain(context.variables).collect(),
    };
    let mapping = compile_mapping(&schema.mapping, &names, &place("mapping"), errors);
    let mut own_headers = NameSet::default();
    for entry in &mapping.headers {
        let name = folded_name(&entry.target).into_owned();
        if is_shared_header(&name) { own_headers.insert(name) } else { compiled.identity_headers.insert(name) }
    }
    let mut own_query = NameSet::default();
    for entry in &mapping.query {
        own_query.insert(query::folded_name(&entry.target));
    }
    let mode = compile_mode(&schema.mode, context.mode);
    let limit = compile_limit(&schema.rate_limit, "route", limit_place(schema), &place("rate_limit"), errors);
    let policy = policy?;
    let rate_limit = limit?;
    let server = schema.integration.get().and_then(|integration| integration.server.get());
    let audience = context.identity_token.filter(|_| policy.is_some()).and_then(|names| names.audience(server));
    Some(Route {
        label: format!("{path} {}", schema.path.get()?).into(),
        name: name(schema).into(),
        class: compiled.classes.of(policy.as_ref(), mode, rate_limit.as_ref()),
        policy,
        mode,
        keeps_encoded_slash: schema.encoded_slash.get() == Some(&EncodedSlashSchema::Keep),
        rate_limit,
        integration: integration?,
        audience,
        mapping,
        own_headers,
        own_query,
        template: template?,
    })
}

/// What tells a route's limit from others: its hosts, methods and path, which no two routes have in common. Where it stands
/// in the file says nothing.
fn limit_place(schema: &PathSchema) -> Place {
    let mut parts = vec!["paths"];
    parts.extend(schema.path.get().map(String::as_str));
    let methods = schema.method.get().into_iter().flat_map(|methods| methods.0.iter().flatten());
    parts.extend(methods.map(String::as_str));
    parts.push("");
    let hosts = schema.hosts.get().into_iter().flat_map(|hosts| hosts.0.iter().flatten());
    parts.extend(hosts.map(String::as_str));
    Place::new(&parts)
}

/// A route as people know it, wherever it stands in the file: `GET,POST api.example.com /orders/{.+}`.
fn name(schema: &PathSchema) -> String {
    let joined = |texts: Option<&[Option<String>]>| {
        let texts = texts.unwrap_or_default().iter().flatten().map(String::as_str);
        texts.collect::<Vec<_>>().join(",")
    };
    let methods = joined(schema.method.get().map(|methods| methods.0.as_slice()));
    let hosts = joined(schema.hosts.get().map(|hosts| hosts.0.as_slice()));
    let path = schema.path.get().cloned().unwrap_or_default();
    [methods, hosts, path].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// `Some(None)` is a route without integration, `None` one with an error.
fn compile_integration(
    schema: &Member<IntegrationSchema>,
    servers: &Servers,
    path: &str,
    errors: &mut Errors,
) -> Option<Option<Integration>> {
    let integration = match schema {
        Member::Absent => return Some(None),
        Member::Bad => return None,
        Member::Good(integration) => integration,
    };
    match servers.find(integration.server.get()?) {
        Ok(integration) => integration.map(Some),
        Err(kind) => {
            errors.push(member_path(path, "server"), kind);
            None
        }
    }
}

fn compile_methods(methods: &[Option<String>], path: &str, errors: &mut Errors) -> Option<Methods> {
    let methods: Vec<String> = methods.iter().cloned().collect::<Option<_>>()?;
    let error = |kind, errors: &mut Errors| {
        errors.push(path.to_owned(), kind);
        None
    };
    let mut seen = HashSet::new();
    for method in &methods {
        // Beyond what a token may hold, so that `*` is no method that never comes.
        let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        if !method.starts_with(|c: char| c.is_ascii_uppercase()) || !method.bytes().all(upper) {
            return error(ConfigErrorKind::Invalid("a method in upper case, a list of methods, or ANY"), errors);
        }
        if method == "CONNECT" {
            return error(ConfigErrorKind::Contradiction("CONNECT has no path, so no route can serve it"), errors);
        }
        if !seen.insert(method) {
            return error(ConfigErrorKind::Repeated, errors);
        }
    }
    match methods.as_slice() {
        [method] if method == "ANY" => Some(Methods::Any),
        methods if methods.iter().any(|method| method == "ANY") => {
            error(ConfigErrorKind::Contradiction("ANY serves every method, so nothing can stand beside it"), errors)
        }
        methods => Some(Methods::These(methods.to_vec())),
    }
}

fn compile_hosts(hosts: &Member<NonEmpty<String>>, path: &str, errors: &mut Errors) -> Option<Vec<HostPattern>> {
    let hosts = match hosts {
        Member::Absent => return Some(vec![HostPattern::Any]),
        Member::Bad => return None,
        Member::Good(hosts) => &hosts.0,
    };
    let mut patterns = Vec::new();
    for (index, host) in good_items(hosts) {
        let pattern = compile_host(host);
        match pattern {
            None => {
                let form = "a host name without port, or `*.` and a suffix";
                errors.push(index_path(path, index), ConfigErrorKind::Invalid(form));
            }
            Some(pattern) if patterns.contains(&pattern) => {
                errors.push(index_path(path, index), ConfigErrorKind::Repeated);
            }
            Some(pattern) => patterns.push(pattern),
        }
    }
    (patterns.len() == hosts.len()).then_some(patterns)
}

fn compile_host(host: &str) -> Option<HostPattern> {
    let host = host.to_ascii_lowercase();
    let good = |name: &str| {
        let parts = split_authority(name).filter(|(host, port)| port.is_none() && !host.ends_with('.'));
        parts.is_some()
    };
    match host.strip_prefix("*.") {
        Some(suffix) => good(suffix).then(|| HostPattern::Suffix(format!(".{suffix}"))),
        None => good(&host).then_some(HostPattern::Exact(host)),
    }
}
