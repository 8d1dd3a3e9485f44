//! Compiling authenticators: where their credentials are, and what they expect of claims.

use std::{rc::Rc, time::Duration};

use super::{
    Environment,
    compile::{FRAMING_HEADERS, is_header_name},
    decode::{Errors, Items, Member, Named, NonEmpty, OneOrMore, good_items, index_path, member_path},
    error::ConfigErrorKind,
    hmac::{compile_hmac, scheme_of},
    introspection::compile_introspection,
    jwt::{compile_jwt, dpop_mode},
    mtls::compile_mtls,
    policy::compile_claim_tests,
    provider::ProviderSources,
    schema::{AuthenticatorSchema, ClaimValuesSchema, OnMultipleSchema, SourceSchema},
};
use crate::{
    auth::{Authenticator, Grants, Method, api_key::ApiKeyMethod, dpop::DpopMode},
    credential::{OnMultiple, Source, scheme},
    jose::claims::{Accepted, AcceptedTypes, ClaimPath, Expectations},
};

/// Compiles one authenticator.
pub fn compile_authenticator(
    name: &str,
    schema: &AuthenticatorSchema,
    path: &str,
    environment: Environment<'_>,
    provider_sources: &mut ProviderSources,
    errors: &mut Errors,
) -> Option<Authenticator> {
    let authorization =
        |scheme: &str| Source::Header { name: "authorization".to_owned(), scheme: Some(scheme.to_owned()) };
    let bearer = || vec![authorization("Bearer")];
    let carrier = match schema {
        AuthenticatorSchema::Jwt(schema) => {
            let mut default = bearer();
            // Bearer tokens are read where they are not accepted as well, and refused rather than overlooked.
            default.extend((dpop_mode(schema) != DpopMode::Off).then(|| authorization(scheme::DPOP)));
            Some((default, &schema.from, &schema.on_multiple, &schema.forward_credential))
        }
        AuthenticatorSchema::Introspection(schema) => {
            Some((bearer(), &schema.from, &schema.on_multiple, &schema.forward_credential))
        }
        AuthenticatorSchema::ApiKey(schema) => {
            let header = Source::Header { name: "x-api-key".to_owned(), scheme: None };
            Some((vec![header], &schema.from, &schema.on_multiple, &schema.forward_credential))
        }
        // The scheme says where the signature is.
        AuthenticatorSchema::Hmac(schema) => {
            Some((vec![scheme_of(schema).source()], &Member::Absent, &Member::Absent, &schema.forward_credential))
        }
        // The credential is the connection's: nothing of the request carries it.
        AuthenticatorSchema::Mtls(_) => None,
    };
    let carried = match carrier {
        None => Some(Carried::default()),
        Some((default, from, on_multiple, forward_credential)) => {
            let sources = compile_sources(from, default, path, errors);
            sources.map(|sources| Carried {
                sources,
                on_multiple: match on_multiple.get() {
                    Some(OnMultipleSchema::FirstSource) => OnMultiple::FirstSource,
                    Some(OnMultipleSchema::Reject) | None => OnMultiple::Reject,
                },
                forward_credential: forward_credential.get().copied().unwrap_or(false),
            })
        }
    };
    let method = match schema {
        AuthenticatorSchema::Jwt(schema) => {
            compile_jwt(schema, path, environment, provider_sources, errors).map(Box::new).map(Method::Jwt)
        }
        AuthenticatorSchema::Introspection(schema) => {
            compile_introspection(schema, path, environment, errors).map(Box::new).map(Method::Introspection)
        }
        AuthenticatorSchema::ApiKey(schema) => {
            schema.keys.get().map(|keys| Method::ApiKey(ApiKeyMethod { keys: Rc::clone(keys) }))
        }
        AuthenticatorSchema::Mtls(schema) => compile_mtls(schema, path, errors).map(Box::new).map(Method::Mtls),
        AuthenticatorSchema::Hmac(schema) => compile_hmac(schema, path, environment, errors).map(Method::Hmac),
    };
    let Carried { sources, on_multiple, forward_credential } = carried?;
    Some(Authenticator { name: name.into(), sources, on_multiple, forward_credential, method: method? })
}

/// Reads the path of a claim: a dotted name, or `['an exact one']`.
pub fn compile_claim_path(text: &str, path: &str, errors: &mut Errors) -> Option<ClaimPath> {
    let steps = ClaimPath::parse(text);
    if steps.is_none() {
        let form = "the path of a claim: a name, names parted by dots, or ['an exact name']";
        errors.push(path.to_owned(), ConfigErrorKind::Invalid(form));
    }
    steps
}

/// Reads strings of which `*` stands for all.
pub fn compile_accepted(texts: &[Option<String>], path: &str, errors: &mut Errors) -> Accepted {
    for (index, _) in good_items(texts).filter(|(_, text)| text.is_empty()) {
        errors.push(index_path(path, index), ConfigErrorKind::Empty);
    }
    match is_star(texts, path, errors) {
        true => Accepted::Any,
        false => Accepted::These(texts.iter().flatten().cloned().collect()),
    }
}

/// What authenticators whose credentials carry claims have in common.
pub struct ClaimsSchema<'a> {
    pub issuer: &'a Member<OneOrMore<String>>,
    pub audiences: &'a Member<OneOrMore<String>>,
    pub clock_skew: &'a Member<Duration>,
    pub require: &'a Member<Items<String>>,
    pub claims: &'a Member<Named<ClaimValuesSchema>>,
    pub roles_claim: &'a Member<String>,
    pub scopes_claim: &'a Member<String>,
}

impl ClaimsSchema<'_> {
    /// What is expected of the claims; `required` and any issuer where the configuration does not say.
    pub fn compile_expectations(&self, required: &[&str], path: &str, errors: &mut Errors) -> Option<Expectations> {
        let place = |name: &str| member_path(path, name);
        let issuers = match self.issuer {
            Member::Absent => Some(Accepted::Any),
            Member::Bad => None,
            Member::Good(texts) => Some(compile_accepted(&texts.0, &place("issuer"), errors)),
        };
        let audiences = self.audiences.get().map(|texts| compile_accepted(&texts.0, &place("audiences"), errors));
        let required = match self.require.get() {
            None => required.iter().map(|claim| ClaimPath::dotted(claim)).collect(),
            Some(claims) => {
                let claims = good_items(&claims.0);
                let compile = |(index, claim): (usize, &String)| {
                    compile_claim_path(claim, &index_path(&place("require"), index), errors)
                };
                claims.filter_map(compile).collect()
            }
        };
        let tests = compile_claim_tests(self.claims, &place("claims"), errors);
        Some(Expectations {
            issuers: issuers?,
            audiences: audiences?,
            clock_skew: self.clock_skew.or_default(DEFAULT_CLOCK_SKEW)?,
            required,
            max_lifetime: None,
            types: AcceptedTypes::Any,
            tests,
        })
    }

    /// Where roles and scopes stand.
    pub fn compile_grants(&self, path: &str, errors: &mut Errors) -> Grants {
        let mut claim = |name: &str, text: &Member<String>| {
            text.get().and_then(|text| compile_claim_path(text, &member_path(path, name), errors))
        };
        let roles_claim = claim("roles_claim", self.roles_claim);
        let scopes_claim = claim("scopes_claim", self.scopes_claim);
        Grants {
            roles_claim: roles_claim.unwrap_or_else(|| ClaimPath::dotted("roles")),
            scopes_claims: match scopes_claim {
                Some(claim) => vec![claim],
                None => vec![ClaimPath::dotted("scope"), ClaimPath::dotted("scp")],
            },
        }
    }
}

/// Whether a list is the `*` that stands for all.
pub fn is_star(texts: &[Option<String>], path: &str, errors: &mut Errors) -> bool {
    let Some((index, _)) = good_items(texts).find(|(_, text)| *text == "*") else {
        return false;
    };
    if texts.len() > 1 {
        let rule = "`*` accepts any, so nothing can stand beside it";
        errors.push(index_path(path, index), ConfigErrorKind::Contradiction(rule));
    }
    true
}

/// How a request carries a credential.
#[derive(Default)]
struct Carried {
    sources: Vec<Source>,
    on_multiple: OnMultiple,
    forward_credential: bool,
}

fn compile_sources(
    schema: &Member<NonEmpty<SourceSchema>>,
    default: Vec<Source>,
    path: &str,
    errors: &mut Errors,
) -> Option<Vec<Source>> {
    let schema = match schema {
        Member::Absent => return Some(default),
        Member::Bad => return None,
        Member::Good(sources) => &sources.0,
    };
    let path = member_path(path, "from");
    let mut sources = Vec::new();
    for (index, source) in good_items(schema) {
        let path = index_path(&path, index);
        let source = compile_source(source, &path, errors);
        if source.as_ref().is_some_and(|source| sources.contains(source)) {
            errors.push(path, ConfigErrorKind::Repeated);
        }
        sources.extend(source);
    }
    (sources.len() == schema.len()).then_some(sources)
}

fn compile_source(schema: &SourceSchema, path: &str, errors: &mut Errors) -> Option<Source> {
    let mut error = |member: &str, kind| {
        errors.push(if member.is_empty() { path.to_owned() } else { member_path(path, member) }, kind);
        None
    };
    let name_form = "a name of letters, digits and the other characters of tokens";
    if !schema.scheme.is_absent() && schema.header.is_absent() {
        return error("scheme", ConfigErrorKind::Contradiction("only a header has a scheme"));
    }
    match (&schema.header, &schema.cookie, &schema.query) {
        (Member::Good(name), Member::Absent, Member::Absent) => {
            let name = name.to_ascii_lowercase();
            if !is_header_name(&name) {
                return error("header", ConfigErrorKind::Invalid(name_form));
            }
            if name == "cookie" || FRAMING_HEADERS.contains(&name.as_str()) {
                let rule = "not a header that carries a credential; a cookie is given as `cookie`";
                return error("header", ConfigErrorKind::Contradiction(rule));
            }
            if schema.scheme.get().is_some_and(|scheme| !is_header_name(scheme)) {
                return error("scheme", ConfigErrorKind::Invalid(name_form));
            }
            Some(Source::Header { name, scheme: schema.scheme.get().cloned() })
        }
        (Member::Absent, Member::Good(name), Member::Absent) if is_header_name(name) => {
            Some(Source::Cookie { name: name.clone() })
        }
        (Member::Absent, Member::Good(_), Member::Absent) => error("cookie", ConfigErrorKind::Invalid(name_form)),
        (Member::Absent, Member::Absent, Member::Good(name)) if !name.is_empty() => {
            Some(Source::Query { name: name.clone() })
        }
        (Member::Absent, Member::Absent, Member::Good(_)) => error("query", ConfigErrorKind::Empty),
        (Member::Bad, Member::Absent, Member::Absent)
        | (Member::Absent, Member::Bad, Member::Absent)
        | (Member::Absent, Member::Absent, Member::Bad) => None,
        _ => error("", ConfigErrorKind::Contradiction("give exactly one of `header`, `cookie` and `query`")),
    }
}

const DEFAULT_CLOCK_SKEW: Duration = Duration::from_secs(60);
