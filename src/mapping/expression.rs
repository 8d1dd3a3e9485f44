//! Value expressions: `$request.jwt.sub`, `user-${request.jwt.sub}`, plain text.

use std::{borrow::Cow, fmt};

use super::value::{Form, Value};
use crate::{
    auth::{AuthenticatorId, Identity},
    jose::claims::ClaimPath,
    json::Json,
    request::{ForwardedView, is_token},
    route::path::NormalPath,
};

/// A parsed value expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    parts: Vec<Part>,
}

/// A piece of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Source(Source),
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `request.jwt`: the caller's claims, or one of them.
    Claims(Option<ClaimPath>),
    /// `request.auth.NAME`: the claims that one authenticator of an `all` verified, or one of them; of a key, what its entry
    /// says.
    AuthenticatorClaims(AuthenticatorId, Option<ClaimPath>),
    /// `request.header.NAME`, as it is forwarded.
    Header(String),
    /// `request.query.NAME`, as it is forwarded.
    Query(String),
    /// `request.path.NAME`: a segment, by its index.
    Segment(usize),
    /// `request.method`
    Method,
    /// `identity.FIELD`
    Identity(IdentityField),
    /// `config.NAME`, whose value is known when the configuration is read.
    Constant(String),
}

/// A part of the caller's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityField {
    /// `identity.subject`
    Subject,
    /// `identity.issuer`
    Issuer,
    /// `identity.method`: the authenticator's type
    Method,
    /// `identity.authenticator`: its name
    Authenticator,
    /// `identity.scopes`
    Scopes,
    /// `identity.roles`
    Roles,
    /// `identity.owner`
    Owner,
}

/// What an expression can refer to when a configuration is read.
pub trait Names {
    /// The value of a variable.
    fn variable(&self, name: &str) -> Option<String>;
    /// The segment of a path parameter.
    fn path_parameter(&self, name: &str) -> Option<usize>;
    /// An authenticator of the route.
    fn authenticator(&self, name: &str) -> Option<AuthenticatorId>;
}

/// What an expression can refer to when a request is forwarded.
pub struct Facts<'a> {
    /// The request after stripping.
    pub request: &'a ForwardedView<'a>,
    /// Its path.
    pub path: &'a NormalPath,
    /// Everyone who was verified, the caller first.
    pub identities: &'a [&'a Identity],
}

/// Why an expression was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpressionError {
    /// A `$` that begins neither a reference nor a template, nor is doubled.
    LoneDollar,
    /// A `${` without its `}`.
    Unclosed,
    /// A reference to something that does not exist.
    UnknownSource(String),
    /// A claim path with an empty step or an open bracket.
    MalformedClaimPath(String),
    /// A variable that neither the route nor the configuration defines.
    UndefinedVariable(String),
    /// A path parameter that the route's path does not have.
    UnknownPathParameter(String),
    /// An authenticator that the route does not use.
    UnknownAuthenticator(String),
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    ///
    /// An [`ExpressionError`] that names the reference which cannot be resolved.
    pub fn parse(text: &str, names: &dyn Names) -> Result<Self, ExpressionError> {
        if let Some(reference) = text.strip_prefix('$').filter(|rest| !rest.starts_with(['$', '{'])) {
            let source = Source::parse(reference, names)?;
            return Ok(Self { parts: vec![Part::Source(source)] });
        }
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            literal.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                literal.push('$');
                rest = after;
                continue;
            }
            let template = after.strip_prefix('{').ok_or(ExpressionError::LoneDollar)?;
            let end = closing_brace(template).ok_or(ExpressionError::Unclosed)?;
            let (reference, after) = template.split_at_checked(end).ok_or(ExpressionError::Unclosed)?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::Source(Source::parse(reference, names)?));
            rest = after.strip_prefix('}').unwrap_or_default();
        }
        literal.push_str(rest);
        if !literal.is_empty() || parts.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self { parts })
    }

    /// The text of an expression that refers to nothing of a request.
    #[must_use]
    pub fn constant(&self) -> Option<String> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) | Part::Source(Source::Constant(text)) => Some(text.as_str()),
                Part::Source(_) => None,
            })
            .collect()
    }

    /// Where the value comes from, in order; nothing for text that was written out.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Source(source) => Some(source),
        })
    }

    /// Whether the value is the same for all requests of one caller.
    #[must_use]
    pub fn is_of_caller(&self) -> bool {
        self.parts.iter().all(|part| match part {
            Part::Literal(_) => true,
            Part::Source(source) => match source {
                Source::Claims(_) | Source::AuthenticatorClaims(..) | Source::Identity(_) | Source::Constant(_) => true,
                Source::Header(_) | Source::Query(_) | Source::Segment(_) | Source::Method => false,
            },
        })
    }

    /// The value for one request; none if a source is missing or null.
    #[must_use]
    pub fn evaluate<'a>(&'a self, facts: &Facts<'a>, form: Option<Form>) -> Option<Cow<'a, [u8]>> {
        if let [Part::Source(source)] = self.parts.as_slice() {
            return source.find(facts)?.render(form);
        }
        let mut text = Vec::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.extend_from_slice(literal.as_bytes()),
                Part::Source(source) => text.extend_from_slice(&source.find(facts)?.render(None)?),
            }
        }
        Value::Text(text.into()).render(form)
    }
}

impl Source {
    fn parse(reference: &str, names: &dyn Names) -> Result<Self, ExpressionError> {
        let unknown = || ExpressionError::UnknownSource(reference.to_owned());
        let named = |prefix: &str| reference.strip_prefix(prefix).filter(|name| !name.is_empty());
        if let Some(path) = reference.strip_prefix("request.jwt") {
            return parse_claim_path(path, reference).map(Self::Claims);
        }
        if let Some(rest) = named("request.auth.") {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, path) = rest.split_at_checked(end).ok_or_else(unknown)?;
            let authenticator =
                names.authenticator(name).ok_or_else(|| ExpressionError::UnknownAuthenticator(name.to_owned()))?;
            return Ok(Self::AuthenticatorClaims(authenticator, parse_claim_path(path, reference)?));
        }
        if let Some(name) = named("request.header.").filter(|name| name.bytes().all(is_token)) {
            return Ok(Self::Header(name.to_ascii_lowercase()));
        }
        if let Some(name) = named("request.query.") {
            return Ok(Self::Query(name.to_owned()));
        }
        if let Some(name) = named("request.path.") {
            let segment = names.path_parameter(name);
            let segment = segment.ok_or_else(|| ExpressionError::UnknownPathParameter(name.to_owned()))?;
            return Ok(Self::Segment(segment));
        }
        if let Some(name) = named("config.") {
            let value = names.variable(name);
            let value = value.ok_or_else(|| ExpressionError::UndefinedVariable(name.to_owned()))?;
            return Ok(Self::Constant(value));
        }
        if reference == "request.method" {
            return Ok(Self::Method);
        }
        let field = named("identity.").and_then(IdentityField::from_name);
        field.map(Self::Identity).ok_or_else(unknown)
    }

    fn find<'a>(&'a self, facts: &Facts<'a>) -> Option<Value<'a>> {
        let text = |text: &'a str| Value::Text(text.as_bytes().into());
        let list = |items: &'a [String]| (!items.is_empty()).then_some(Value::List(items));
        let claims = |identity: &'a Identity, path: &Option<ClaimPath>| match path {
            None => (identity.claims != Json::Null).then_some(Value::Json(&identity.claims)),
            Some(path) => path.find(&identity.claims).map(Value::Json),
        };
        let field = |identity: &'a Identity, field: IdentityField| match field {
            IdentityField::Subject => identity.subject.as_deref().map(text),
            IdentityField::Issuer => identity.issuer.as_deref().map(text),
            IdentityField::Method => Some(text(identity.method)),
            IdentityField::Authenticator => Some(text(&identity.authenticator_name)),
            IdentityField::Scopes => list(&identity.scopes),
            IdentityField::Roles => list(&identity.roles),
            IdentityField::Owner => identity.owner.as_deref().map(text),
        };
        match self {
            Self::Claims(path) => claims(facts.identities.first()?, path),
            Self::AuthenticatorClaims(authenticator, path) => {
                let mut identities = facts.identities.iter();
                let identity = identities.find(|identity| identity.authenticator == *authenticator)?;
                // A key has no claims, but what its entry in the configuration says of it.
                match path.as_ref().and_then(ClaimPath::name).filter(|_| identity.claims == Json::Null) {
                    Some(name) => field(identity, IdentityField::of_entry(name)?),
                    None => claims(identity, path),
                }
            }
            Self::Header(name) => facts.request.header(name).map(|value| Value::Text(value.into())),
            Self::Query(name) => facts.request.query_parameter(name).map(|value| Value::Text(value.into())),
            Self::Segment(index) => facts.path.segment(*index).map(text),
            Self::Method => Some(text(facts.request.method())),
            Self::Constant(constant) => Some(text(constant)),
            Self::Identity(name) => field(facts.identities.first()?, *name),
        }
    }
}

impl IdentityField {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "subject" => Self::Subject,
            "issuer" => Self::Issuer,
            "method" => Self::Method,
            "authenticator" => Self::Authenticator,
            "scopes" => Self::Scopes,
            "roles" => Self::Roles,
            "owner" => Self::Owner,
            _ => return None,
        })
    }

    /// The field in which a member of a key's entry is kept.
    fn of_entry(name: &str) -> Option<Self> {
        match name {
            "id" => Some(Self::Subject),
            "owner" => Some(Self::Owner),
            "scopes" => Some(Self::Scopes),
            "roles" => Some(Self::Roles),
            _ => None,
        }
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoneDollar => {
                f.write_str("a lone `$`: write `$$` for a dollar, `${...}` for a reference inside text")
            }
            Self::Unclosed => f.write_str("`${` without its `}`"),
            Self::UnknownSource(source) => write!(
                f,
                "unknown source `{source}`; there are request.jwt, request.auth, request.header, request.query, \
                 request.path, request.method, config and identity.subject, issuer, method, authenticator, scopes, \
                 roles, owner"
            ),
            Self::MalformedClaimPath(path) => write!(f, "malformed claim path `{path}`"),
            Self::UndefinedVariable(name) => write!(f, "undefined variable `{name}`"),
            Self::UnknownPathParameter(name) => write!(f, "the path has no parameter `{name}`"),
            Self::UnknownAuthenticator(name) => write!(f, "`{name}` is no authenticator of this route"),
        }
    }
}

/// Reads what follows `request.jwt`: nothing, `.name.name`, `['exact name']`, or several of them.
fn parse_claim_path(text: &str, reference: &str) -> Result<Option<ClaimPath>, ExpressionError> {
    if text.is_empty() {
        return Ok(None);
    }
    ClaimPath::parse_steps(text).map(Some).ok_or_else(|| match text.starts_with(['.', '[']) {
        true => ExpressionError::MalformedClaimPath(reference.to_owned()),
        false => ExpressionError::UnknownSource(reference.to_owned()),
    })
}

/// Where the brace that closes a template stands; one inside a quoted name does not count.
fn closing_brace(template: &str) -> Option<usize> {
    let mut quoted = false;
    for (index, character) in template.char_indices() {
        match character {
            '\'' => quoted = !quoted,
            '}' if !quoted => return Some(index),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{jose::claims::ClaimStep, test::test};

    struct TestNames;

    impl Names for TestNames {
        fn variable(&self, name: &str) -> Option<String> {
            (name == "region").then(|| "eu".to_owned())
        }

        fn path_parameter(&self, name: &str) -> Option<usize> {
            (name == "id").then_some(1)
        }

        fn authenticator(&self, name: &str) -> Option<AuthenticatorId> {
            (name == "users").then_some(AuthenticatorId(0))
        }
    }

    fn parse(text: &str) -> Result<Vec<Part>, ExpressionError> {
        Expression::parse(text, &TestNames).map(|expression| expression.parts)
    }

    fn literal(text: &str) -> Part {
        Part::Literal(text.to_owned())
    }

    fn claim(steps: Vec<ClaimStep>) -> Part {
        Part::Source(Source::Claims(Some(ClaimPath(steps))))
    }

    test!(references_templates_and_literals, {
        let dotted = |name: &str| ClaimStep::Dotted(name.to_owned());
        let exact = |name: &str| ClaimStep::Exact(name.to_owned());
        assert_eq!(parse("plain"), Ok(vec![literal("plain")]));
        assert_eq!(parse(""), Ok(vec![literal("")]));
        assert_eq!(parse("$$5 and $${x}"), Ok(vec![literal("$5 and ${x}")]));
        assert_eq!(parse("$request.jwt.sub"), Ok(vec![claim(vec![dotted("sub")])]));
        assert_eq!(parse("$request.jwt"), Ok(vec![Part::Source(Source::Claims(None))]));
        assert_eq!(
            parse("$request.jwt['https://ex.com/roles'].a.b['c']"),
            Ok(vec![claim(vec![exact("https://ex.com/roles"), dotted("a.b"), exact("c")])])
        );
        assert_eq!(
            parse("u-${request.jwt['}']}-${config.region}!"),
            Ok(vec![
                literal("u-"),
                claim(vec![exact("}")]),
                literal("-"),
                Part::Source(Source::Constant("eu".to_owned())),
                literal("!"),
            ])
        );
        assert_eq!(parse("$request.path.id"), Ok(vec![Part::Source(Source::Segment(1))]));
        assert_eq!(
            parse("$request.auth.users.sub"),
            Ok(vec![Part::Source(Source::AuthenticatorClaims(AuthenticatorId(0), Some(ClaimPath::dotted("sub"))))])
        );
        assert_eq!(parse("$request.header.X-Tenant"), Ok(vec![Part::Source(Source::Header("x-tenant".to_owned()))]));
    });

    test!(what_cannot_be_resolved_is_refused, {
        let unknown = |text: &str| Err(ExpressionError::UnknownSource(text.to_owned()));
        for text in [
            "request",
            "request.jwtx",
            "request.header.",
            "request.header.a b",
            "request.body",
            "identity.name",
            "identity",
            "",
            "x",
        ] {
            assert_eq!(parse(&format!("${text}")), unknown(text), "{text}");
        }
        assert_eq!(parse("$config.zone"), Err(ExpressionError::UndefinedVariable("zone".to_owned())));
        assert_eq!(parse("$request.path.x"), Err(ExpressionError::UnknownPathParameter("x".to_owned())));
        assert_eq!(parse("$request.auth.x.sub"), Err(ExpressionError::UnknownAuthenticator("x".to_owned())));
        assert_eq!(parse("a$b"), Err(ExpressionError::LoneDollar));
        assert_eq!(parse("a$"), Err(ExpressionError::LoneDollar));
        assert_eq!(parse("${request.method"), Err(ExpressionError::Unclosed));
        for path in ["request.jwt.", "request.jwt['x'", "request.jwt['x']y", "request.jwt[x]"] {
            assert_eq!(parse(&format!("${path}")), Err(ExpressionError::MalformedClaimPath(path.to_owned())));
        }
    });

    test!(constants_are_known_beforehand, {
        let constant = |text: &str| Expression::parse(text, &TestNames).unwrap().constant();
        assert_eq!(constant("zone-${config.region}").as_deref(), Some("zone-eu"));
        assert_eq!(constant("${request.method}"), None);
    });
}
