//! Compiling routes: their paths, hosts and methods into a table, and all else into what the table leads to.

use std::collections::HashSet;

use super::{
    compile::{Servers, compile_mode},
    decode::{Errors, index_path, member_path},
    error::ConfigErrorKind,
    gateway::{Mode, Route},
    mapping::{RouteNames, compile_mapping, is_shared_header},
    policy::{Names, compile_auth},
    schema::{EncodedSlashSchema, GatewaySchema, PathSchema},
};
use crate::{
    auth::policy::{Policy, Rule},
    query,
    request::{folded_name, is_token},
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
pub struct Classes(Vec<(Option<(Rule, bool)>, Mode)>);

/// Compiles all routes.
pub fn compile_routes(schema: &GatewaySchema, context: &Routes<'_>, errors: &mut Errors) -> CompiledRoutes {
    let mut compiled = CompiledRoutes {
        table: Table::default(),
        routes: Vec::new(),
        identity_headers: NameSet::default(),
        classes: Classes::default(),
    };
    for (index, path_schema) in schema.paths.iter().flat_map(|paths| &paths.0).enumerate() {
        let path = index_path("paths", index);
        let route =
            path_schema.as_ref().and_then(|schema| compile_route(schema, index, &path, context, &mut compiled, errors));
        compiled.routes.push(route);
    }
    compiled
}

impl Classes {
    /// The number of a policy.
    pub fn of(&mut self, policy: Option<&Policy>, mode: Mode) -> usize {
        let policy = policy.map(|policy| (policy.rule.clone(), policy.optional));
        let class = match policy {
            None => (None, Mode::Enforce), // a public route denies nothing
            Some(policy) => (Some(policy), mode),
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
    let methods = compile_methods(&schema.method.0, &place("method"), errors);
    let hosts = compile_hosts(schema.hosts.as_ref().map(|hosts| hosts.0.as_slice()), &place("hosts"), errors);
    let policy = compile_auth(&schema.auth, context.names, &place("auth"), errors);
    let integration = schema.integration.as_ref().map(|integration| {
        context.servers.find(&integration.server).unwrap_or_else(|kind| {
            errors.push(member_path(&place("integration"), "server"), kind);
            None
        })
    });
    let template = match Template::parse(&schema.path, context.path_policy) {
        Ok(template) => template,
        Err(error) => {
            errors.push(place("path"), ConfigErrorKind::Template(error));
            return None;
        }
    };
    if let (Some(methods), Some(hosts)) = (&methods, &hosts) {
        let case_insensitive = schema.case_insensitive.unwrap_or(false);
        for host in hosts {
            if let Err(other) = compiled.table.insert(host, &template, case_insensitive, methods, index) {
                errors.push(path.to_owned(), ConfigErrorKind::SameRoute { other });
                break;
            }
        }
    }
    let own = schema.variables.iter().flat_map(|variables| &variables.0);
    let names = RouteNames {
        names: context.names,
        policy: policy.as_ref().and_then(Option::as_ref),
        template: &template,
        variables: own.chain(context.variables).collect(),
    };
    let mapping = compile_mapping(schema.mapping.as_ref(), &names, &place("mapping"), errors);
    let mut own_headers = NameSet::default();
    for entry in &mapping.headers {
        let name = folded_name(&entry.target).into_owned();
        if is_shared_header(&name) { own_headers.insert(name) } else { compiled.identity_headers.insert(name) }
    }
    let mut own_query = NameSet::default();
    for entry in &mapping.query {
        own_query.insert(query::folded_name(entry.target.as_bytes()));
    }
    let mode = compile_mode(schema.mode, context.mode);
    let policy = policy?;
    Some(Route {
        label: format!("{path} {}", schema.path),
        class: compiled.classes.of(policy.as_ref(), mode),
        policy,
        mode,
        keeps_encoded_slash: schema.encoded_slash == Some(EncodedSlashSchema::Keep),
        integration: match integration {
            None => None,
            Some(integration) => Some(integration?),
        },
        mapping,
        own_headers,
        own_query,
        template,
    })
}

fn compile_methods(methods: &[String], path: &str, errors: &mut Errors) -> Option<Methods> {
    let error = |kind, errors: &mut Errors| {
        errors.push(path.to_owned(), kind);
        None
    };
    let mut seen = HashSet::new();
    for method in methods {
        let upper = method.bytes().all(|byte| is_token(byte) && !byte.is_ascii_lowercase());
        if method.is_empty() || !upper {
            return error(ConfigErrorKind::Invalid("a method in upper case, a list of methods, or ANY"), errors);
        }
        if method == "CONNECT" {
            return error(ConfigErrorKind::Contradiction("CONNECT has no path, so no route can serve it"), errors);
        }
        if !seen.insert(method) {
            return error(ConfigErrorKind::Repeated, errors);
        }
    }
    match methods {
        [method] if method == "ANY" => Some(Methods::Any),
        methods if methods.iter().any(|method| method == "ANY") => {
            error(ConfigErrorKind::Contradiction("ANY serves every method, so nothing can stand beside it"), errors)
        }
        methods => Some(Methods::These(methods.to_vec())),
    }
}

fn compile_hosts(hosts: Option<&[String]>, path: &str, errors: &mut Errors) -> Option<Vec<HostPattern>> {
    let Some(hosts) = hosts else {
        return Some(vec![HostPattern::Any]);
    };
    let mut patterns = Vec::new();
    for (index, host) in hosts.iter().enumerate() {
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
        let name_good = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        let address = name.starts_with('[') && name.ends_with(']');
        !name.is_empty() && (name_good || address) && !name.starts_with('.') && !name.ends_with('.')
    };
    match host.strip_prefix("*.") {
        Some(suffix) => good(suffix).then(|| HostPattern::Suffix(format!(".{suffix}"))),
        None => good(&host).then_some(HostPattern::Exact(host)),
    }
}
