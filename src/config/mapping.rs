//! Compiling mappings: what may be set, and from what.

use super::{
    compile::is_header_name,
    decode::{Errors, member_path},
    error::ConfigErrorKind,
    policy::Names,
    schema::{FormOfValueSchema, MappedSchema, MappingSchema, ValueSchema},
};
use crate::{
    auth::{AuthenticatorId, policy::Policy},
    mapping::{
        Entry, Mapping,
        expression::{Expression, Names as ExpressionNames},
        value::{Form, fits_header},
    },
    query,
    request::folded_name,
    route::template::Template,
};

/// What the expressions of one route can refer to.
pub struct RouteNames<'a> {
    pub names: &'a Names,
    /// None where the route is public, or its policy has an error.
    pub policy: Option<&'a Policy>,
    pub template: &'a Template,
    /// The route's variables before the global ones.
    pub variables: Vec<&'a (String, Option<String>)>,
}

/// Compiles a route's mapping.
pub fn compile_mapping(
    schema: Option<&MappingSchema>,
    names: &RouteNames<'_>,
    path: &str,
    errors: &mut Errors,
) -> Mapping {
    let mut mapping = Mapping::default();
    let Some(schema) = schema else {
        return mapping;
    };
    let headers_path = member_path(path, "headers");
    for (name, value) in schema.headers.iter().flat_map(|named| &named.0) {
        let path = member_path(&headers_path, name);
        check_header_target(name, &mapping.headers, &path, errors);
        let target = name.to_ascii_lowercase();
        mapping.headers.extend(compile_entry(target, value.as_ref(), names, true, &path, errors));
    }
    let query_path = member_path(path, "query");
    for (name, value) in schema.query.iter().flat_map(|named| &named.0) {
        let path = member_path(&query_path, name);
        check_query_target(name, &mapping.query, &path, errors);
        mapping.query.extend(compile_entry(name.clone(), value.as_ref(), names, false, &path, errors));
    }
    mapping
}

/// Whether a mapped header is one that only its own route replaces: services read it for other things than identity.
pub fn is_shared_header(folded: &str) -> bool {
    matches!(folded, "authorization" | "cookie") || folded.starts_with("content-") || folded.starts_with("x-forwarded-")
}

impl ExpressionNames for RouteNames<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        let mut variables = self.variables.iter();
        let (_, value) = variables.find(|(variable, _)| variable == name)?;
        // One that could not be read has been reported.
        Some(value.clone().unwrap_or_default())
    }

    fn path_parameter(&self, name: &str) -> Option<usize> {
        self.template.parameter(name)
    }

    fn authenticator(&self, name: &str) -> Option<AuthenticatorId> {
        let id = self.names.find(name)?;
        self.policy.is_none_or(|policy| policy.readers.contains(&id)).then_some(id)
    }
}

fn check_header_target(name: &str, others: &[Entry], path: &str, errors: &mut Errors) {
    let folded = folded_name(name);
    let forbidden =
        FORBIDDEN_HEADERS.contains(&&*folded) || FORBIDDEN_PREFIXES.iter().any(|prefix| folded.starts_with(prefix));
    let kind = if name.starts_with(':') || forbidden {
        ConfigErrorKind::Contradiction("a header that frames or routes the request cannot be mapped")
    } else if !is_header_name(name) {
        ConfigErrorKind::Invalid("a header name: letters, digits and the other characters of tokens")
    } else if others.iter().any(|other| folded_name(&other.target) == folded) {
        ConfigErrorKind::Repeated
    } else {
        return;
    };
    errors.push(path.to_owned(), kind);
}

fn check_query_target(name: &str, others: &[Entry], path: &str, errors: &mut Errors) {
    let fold = |name: &str| query::folded_name(name.as_bytes());
    let folded = fold(name);
    let kind = if folded.is_empty() {
        ConfigErrorKind::Empty
    } else if others.iter().any(|other| fold(&other.target) == folded) {
        ConfigErrorKind::Repeated
    } else {
        return;
    };
    errors.push(path.to_owned(), kind);
}

fn compile_entry(
    target: String,
    schema: Option<&MappedSchema>,
    names: &RouteNames<'_>,
    header: bool,
    path: &str,
    errors: &mut Errors,
) -> Option<Entry> {
    let MappedSchema(ValueSchema { value, form, default, required }) = schema?;
    let required = required.unwrap_or(false);
    if required && default.is_some() {
        let rule = "a value with a default is never missing; leave out `required` or `default`";
        errors.push(path.to_owned(), ConfigErrorKind::Contradiction(rule));
    }
    let expression = match Expression::parse(value, names) {
        Ok(expression) => expression,
        Err(error) => {
            errors.push(path.to_owned(), ConfigErrorKind::Expression(error));
            return None;
        }
    };
    let constants = [expression.constant(), default.clone()];
    if header && constants.iter().flatten().any(|text| !fits_header(text.as_bytes())) {
        let form = "free of control characters and of white space at its ends";
        errors.push(path.to_owned(), ConfigErrorKind::Invalid(form));
    }
    let form = form.map(|form| match form {
        FormOfValueSchema::Csv => Form::Csv,
        FormOfValueSchema::Json => Form::Json,
        FormOfValueSchema::Base64Url => Form::Base64Url,
    });
    Some(Entry { target, expression, form, default: default.clone(), required })
}

/// Hop-by-hop headers (RFC 9110 §7.6.1), and those that frame or route a message.
const FORBIDDEN_HEADERS: [&str; 11] = [
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

const FORBIDDEN_PREFIXES: [&str; 2] = ["x-envoy-", "x-gatepost-"];
