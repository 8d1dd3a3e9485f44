//! Compiling mappings: what may be set, and from what.

use super::{
    compile::{FRAMING_HEADERS, is_header_name},
    decode::{Errors, Member, member_path},
    error::ConfigErrorKind,
    gateway::RESERVED_PREFIX,
    policy::Names,
    schema::{FormOfValueSchema, MappedSchema, MappingSchema, ValueSchema},
};
use crate::{
    auth::AuthenticatorId,
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
    /// The authenticators that the route asks: none on a public one. None where that has an error.
    pub readers: Option<&'a [AuthenticatorId]>,
    /// None where it has an error.
    pub template: Option<&'a Template>,
    /// The identity token's header, folded.
    pub identity_token_header: Option<&'a str>,
    /// The route's variables before the global ones.
    pub variables: Vec<&'a (String, Option<String>)>,
}

/// Compiles a route's mapping.
pub fn compile_mapping(
    schema: &Member<MappingSchema>,
    names: &RouteNames<'_>,
    path: &str,
    errors: &mut Errors,
) -> Mapping {
    let Some(schema) = schema.get() else {
        return Mapping::default();
    };
    let (mut headers, mut query) = (Vec::new(), Vec::new());
    let headers_path = member_path(path, "headers");
    for (name, value) in schema.headers.get().into_iter().flat_map(|named| &named.0) {
        let path = member_path(&headers_path, name);
        check_header_target(name, &headers, names.identity_token_header, &path, errors);
        let target = name.to_ascii_lowercase();
        headers.extend(compile_entry(target, value.as_ref(), names, true, &path, errors));
    }
    let query_path = member_path(path, "query");
    for (name, value) in schema.query.get().into_iter().flat_map(|named| &named.0) {
        let path = member_path(&query_path, name);
        check_query_target(name, &query, &path, errors);
        query.extend(compile_entry(name.clone(), value.as_ref(), names, false, &path, errors));
    }
    Mapping::new(headers, query)
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
        self.template.map_or(Some(0), |template| template.parameter(name))
    }

    fn authenticator(&self, name: &str) -> Option<AuthenticatorId> {
        match (self.names.find(name), self.readers) {
            (Ok(id), Some(readers)) => readers.contains(&id).then_some(id),
            (Ok(id), None) => Some(id),
            // What follows from an error that was reported is none of its own.
            (Err(kind), _) => kind.is_none().then_some(AuthenticatorId(0)),
        }
    }
}

/// Whether a header frames or routes a message, or is the host's or gatepost's own.
pub fn is_reserved_header(folded: &str) -> bool {
    FRAMING_HEADERS.contains(&folded) || folded.starts_with("x-envoy-") || folded.starts_with(RESERVED_PREFIX)
}

fn check_header_target(
    name: &str,
    others: &[Entry],
    identity_token_header: Option<&str>,
    path: &str,
    errors: &mut Errors,
) {
    let folded = folded_name(name);
    let kind = if name.starts_with(':') || is_reserved_header(&folded) {
        ConfigErrorKind::Contradiction("a header that frames or routes the request cannot be mapped")
    } else if !is_header_name(name) {
        ConfigErrorKind::Invalid("a header name: letters, digits and the other characters of tokens")
    } else if identity_token_header == Some(&*folded) {
        ConfigErrorKind::Contradiction("is the header of `identity_token`; map another")
    } else if others.iter().any(|other| *other.target != *name && folded_name(&other.target) == folded) {
        ConfigErrorKind::Repeated
    } else {
        return;
    };
    errors.push(path.to_owned(), kind);
}

fn check_query_target(name: &str, others: &[Entry], path: &str, errors: &mut Errors) {
    let folded = query::folded_name(name);
    let kind = if folded.is_empty() {
        ConfigErrorKind::Empty
    } else if others.iter().any(|other| *other.target != *name && query::folded_name(&other.target) == folded) {
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
    let MappedSchema { value: ValueSchema { value, form, default, required }, is_long } = schema?;
    let place = |name: &str| if *is_long { member_path(path, name) } else { path.to_owned() };
    let required = required.get().copied().unwrap_or(false);
    if required && !default.is_absent() {
        let rule = "a value with a default is never missing; leave out `required` or `default`";
        errors.push(path.to_owned(), ConfigErrorKind::Contradiction(rule));
    }
    let expression = value.get().map(|text| Expression::parse(text, names)).transpose();
    let expression = expression.unwrap_or_else(|error| {
        errors.push(place("value"), ConfigErrorKind::Expression(error));
        None
    });
    let constant = expression.as_ref().and_then(Expression::constant);
    for (name, text) in [("value", constant.as_ref()), ("default", default.get())] {
        if header && text.is_some_and(|text| !fits_header(text.as_bytes())) {
            let form = "free of control characters and of white space at its ends";
            errors.push(place(name), ConfigErrorKind::Invalid(form));
        }
    }
    let form = form.get().map(|form| match form {
        FormOfValueSchema::Csv => Form::Csv,
        FormOfValueSchema::Json => Form::Json,
        FormOfValueSchema::Base64Url => Form::Base64Url,
    });
    Some(Entry { target: target.into(), expression: expression?, form, default: default.get().cloned(), required })
}
