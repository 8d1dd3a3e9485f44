//! Compiling policies: names become authenticators, and what contradicts itself is refused.

use super::{
    authenticator::{compile_accepted, compile_claim_path},
    decode::{Errors, Member, Named, NonEmpty, good_items, index_path, member_path},
    error::ConfigErrorKind,
    schema::{AuthSchema, ClaimValuesSchema, CombinationSchema, RestrictionsSchema, RuleSchema},
};
use crate::{
    auth::{
        AuthenticatorId,
        policy::{Combination, Policy, Requirements, Rule},
    },
    jose::claims::ClaimTest,
};

/// The authenticators of a configuration, by name.
pub struct Names {
    names: Vec<String>,
    default: Member<String>,
    /// Whether names may be missing because `authenticators` could not be read.
    incomplete: bool,
}

impl Names {
    pub fn new(names: Vec<String>, default: &Member<String>, incomplete: bool) -> Self {
        Self { names, default: default.clone(), incomplete }
    }

    /// The authenticator with this name, or the error to report, unless it follows from one that was reported.
    pub fn find(&self, name: &str) -> Result<AuthenticatorId, Option<ConfigErrorKind>> {
        let found = self.names.iter().position(|other| other == name).map(AuthenticatorId);
        let dangling = || ConfigErrorKind::Dangling { what: "authenticator", name: name.to_owned() };
        found.ok_or_else(|| (!self.incomplete).then(dangling))
    }

    /// What `auth: true` means.
    pub fn default_policy(&self, path: &str, errors: &mut Errors) -> Option<Policy> {
        let rule = match (&self.default, self.names.as_slice()) {
            // A name that is not there has been reported.
            (Member::Good(name), _) => Ok(self.find(name).ok()?),
            (Member::Bad, _) => return None,
            (Member::Absent, [_]) => Ok(AuthenticatorId(0)),
            (Member::Absent, _) if self.incomplete => return None,
            (Member::Absent, []) => Err("asks for a credential, and there is no authenticator"),
            (Member::Absent, _) => Err("there are several authenticators: name one, or set `default_auth`"),
        };
        match rule {
            Ok(id) => {
                let rule = Rule { combination: Combination::Use(id), requirements: Requirements::default() };
                Some(Policy::new(rule, false))
            }
            Err(rule) => {
                errors.push(path.to_owned(), ConfigErrorKind::Contradiction(rule));
                None
            }
        }
    }
}

/// Compiles a route's `auth`: `Some(None)` is a public route, `None` one with an error.
pub fn compile_auth(auth: &AuthSchema, names: &Names, path: &str, errors: &mut Errors) -> Option<Option<Policy>> {
    match auth {
        AuthSchema::Public => Some(None),
        AuthSchema::Default => names.default_policy(path, errors).map(Some),
        AuthSchema::Rule(schema) => {
            if schema.restrictions.optional && demands(schema) {
                let rule = "a caller without a credential has no roles and no scopes";
                errors.push(member_path(path, "optional"), ConfigErrorKind::Contradiction(rule));
            }
            let rule = compile_rule(schema, names, path, errors)?;
            Some(Some(Policy::new(rule, schema.restrictions.optional)))
        }
    }
}

/// Compiles tests of claims.
pub fn compile_claim_tests(
    schema: &Member<Named<ClaimValuesSchema>>,
    path: &str,
    errors: &mut Errors,
) -> Vec<ClaimTest> {
    let mut tests = Vec::new();
    for (name, values) in schema.get().into_iter().flat_map(|named| &named.0) {
        let claim = compile_claim_path(name, &member_path(path, name), errors);
        if let (Some(claim), Some(values)) = (claim, values) {
            tests.push(ClaimTest { claim, values: values.0.clone() });
        }
    }
    tests
}

fn compile_rule(schema: &RuleSchema, names: &Names, path: &str, errors: &mut Errors) -> Option<Rule> {
    let rules = |key: &str, rules: &NonEmpty<RuleSchema>, errors: &mut Errors| -> Option<Vec<Rule>> {
        let place = |index| index_path(&member_path(path, key), index);
        let rules = rules.0.iter().enumerate();
        let compile = |(index, rule): (usize, &Option<RuleSchema>)| {
            rule.as_ref().and_then(|rule| compile_rule(rule, names, &place(index), errors))
        };
        let compiled: Vec<Option<Rule>> = rules.map(compile).collect();
        compiled.into_iter().collect()
    };
    let combination = match schema.combination.as_ref() {
        None => None,
        Some(CombinationSchema::Use(name)) => match names.find(name) {
            Ok(id) => Some(Combination::Use(id)),
            Err(kind) => {
                // A bare name is the rule; in an object it is its `use`.
                let path = if schema.is_object { member_path(path, "use") } else { path.to_owned() };
                kind.into_iter().for_each(|kind| errors.push(path.clone(), kind));
                None
            }
        },
        Some(CombinationSchema::Any(members)) => rules("any", members, errors).map(Combination::Any),
        Some(CombinationSchema::All(members)) => rules("all", members, errors).map(Combination::All),
    };
    let requirements = compile_restrictions(&schema.restrictions, path, errors);
    Some(Rule { combination: combination?, requirements })
}

fn compile_restrictions(schema: &RestrictionsSchema, path: &str, errors: &mut Errors) -> Requirements {
    let mut texts = |key: &str, list: &Member<NonEmpty<String>>, good: fn(&str) -> bool, form| -> Vec<String> {
        let items = list.get().map(|list| list.0.as_slice()).unwrap_or_default();
        for (index, _) in good_items(items).filter(|(_, text)| !good(text)) {
            errors.push(index_path(&member_path(path, key), index), ConfigErrorKind::Invalid(form));
        }
        items.iter().flatten().cloned().collect()
    };
    Requirements {
        roles: texts("roles", &schema.roles, is_role, ROLE_FORM),
        scopes: texts("scopes", &schema.scopes, is_scope, SCOPE_FORM),
        audiences: schema
            .audiences
            .get()
            .map(|list| compile_accepted(&list.0, &member_path(path, "audiences"), errors)),
        claims: compile_claim_tests(&schema.claims, &member_path(path, "claims"), errors),
    }
}

/// Whether a text can be a role.
pub fn is_role(text: &str) -> bool {
    !text.is_empty()
}

/// Whether a text can be a scope (RFC 6749 §3.3): a claim can then hold it, and a challenge name it.
pub fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}

/// Whether a rule or one in it asks for roles or scopes.
fn demands(schema: &RuleSchema) -> bool {
    let here = !schema.restrictions.roles.is_absent() || !schema.restrictions.scopes.is_absent();
    here || match &schema.combination {
        Some(CombinationSchema::Any(rules) | CombinationSchema::All(rules)) => rules.0.iter().flatten().any(demands),
        Some(CombinationSchema::Use(_)) | None => false,
    }
}

/// What [`is_role`] asks for.
pub const ROLE_FORM: &str = "a role that is not empty";
/// What [`is_scope`] asks for.
pub const SCOPE_FORM: &str = "one scope: printable ASCII without space, `\"` and `\\`";
