//! Compiling policies: names become authenticators, and what contradicts itself is refused.

use super::{
    authenticator::{compile_accepted, compile_claim_path},
    decode::{Errors, Named, NonEmpty, index_path, member_path},
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
    default: Option<String>,
}

impl Names {
    pub fn new(names: Vec<String>, default: Option<String>) -> Self {
        Self { names, default }
    }

    pub fn find(&self, name: &str) -> Option<AuthenticatorId> {
        self.names.iter().position(|other| other == name).map(AuthenticatorId)
    }

    /// What `auth: true` means.
    pub fn default_policy(&self, path: &str, errors: &mut Errors) -> Option<Policy> {
        let id = match (&self.default, self.names.as_slice()) {
            (Some(name), _) => self.find(name)?, // one that is not there has been reported
            (None, [_]) => AuthenticatorId(0),
            (None, []) => {
                let rule = "asks for a credential, and there is no authenticator";
                errors.push(path.to_owned(), ConfigErrorKind::Contradiction(rule));
                return None;
            }
            (None, _) => {
                let rule = "there are several authenticators: name one, or set `default_auth`";
                errors.push(path.to_owned(), ConfigErrorKind::Contradiction(rule));
                return None;
            }
        };
        let rule = Rule { combination: Combination::Use(id), requirements: Requirements::default() };
        Some(Policy::new(rule, false))
    }
}

/// Compiles a route's `auth`: `Some(None)` is a public route, `None` one with an error.
pub fn compile_auth(auth: &AuthSchema, names: &Names, path: &str, errors: &mut Errors) -> Option<Option<Policy>> {
    match auth {
        AuthSchema::Public => Some(None),
        AuthSchema::Default => names.default_policy(path, errors).map(Some),
        AuthSchema::Rule(schema) => {
            let rule = compile_rule(schema, names, path, errors)?;
            let optional = schema.restrictions.optional;
            let restricted = schema.restrictions.roles.is_some() || schema.restrictions.scopes.is_some();
            if optional && (restricted || demands(&rule)) {
                let rule = "a caller without a credential has no roles and no scopes";
                errors.push(member_path(path, "optional"), ConfigErrorKind::Contradiction(rule));
            }
            Some(Some(Policy::new(rule, optional)))
        }
    }
}

/// Compiles tests of claims.
pub fn compile_claim_tests(
    schema: Option<&Named<ClaimValuesSchema>>,
    path: &str,
    errors: &mut Errors,
) -> Vec<ClaimTest> {
    let mut tests = Vec::new();
    for (name, values) in schema.iter().flat_map(|named| &named.0) {
        let claim = compile_claim_path(name, &member_path(path, name), errors);
        if let (Some(claim), Some(values)) = (claim, values) {
            tests.push(ClaimTest { claim, values: values.0.clone() });
        }
    }
    tests
}

fn compile_rule(schema: &RuleSchema, names: &Names, path: &str, errors: &mut Errors) -> Option<Rule> {
    let rules = |key: &str, rules: &[RuleSchema], errors: &mut Errors| -> Option<Vec<Rule>> {
        let place = |index| index_path(&member_path(path, key), index);
        let compiled: Vec<Option<Rule>> =
            rules.iter().enumerate().map(|(index, rule)| compile_rule(rule, names, &place(index), errors)).collect();
        compiled.into_iter().collect()
    };
    let combination = match &schema.combination {
        CombinationSchema::Use(name) => match names.find(name) {
            Some(id) => Some(Combination::Use(id)),
            None => {
                let kind = ConfigErrorKind::Dangling { what: "authenticator", name: name.clone() };
                errors.push(path.to_owned(), kind);
                None
            }
        },
        CombinationSchema::Any(members) => rules("any", members, errors).map(Combination::Any),
        CombinationSchema::All(members) => rules("all", members, errors).map(Combination::All),
    };
    let requirements = compile_restrictions(&schema.restrictions, path, errors);
    Some(Rule { combination: combination?, requirements })
}

fn compile_restrictions(schema: &RestrictionsSchema, path: &str, errors: &mut Errors) -> Requirements {
    let mut texts = |key: &str, list: &Option<NonEmpty<String>>| -> Vec<String> {
        let list = list.as_ref().map(|list| list.0.clone()).unwrap_or_default();
        for (index, _) in list.iter().enumerate().filter(|(_, text)| text.is_empty()) {
            errors.push(index_path(&member_path(path, key), index), ConfigErrorKind::Empty);
        }
        list
    };
    Requirements {
        roles: texts("roles", &schema.roles),
        scopes: texts("scopes", &schema.scopes),
        audiences: schema
            .audiences
            .as_ref()
            .map(|list| compile_accepted(&list.0, &member_path(path, "audiences"), errors)),
        claims: compile_claim_tests(schema.claims.as_ref(), &member_path(path, "claims"), errors),
    }
}

/// Whether a rule or one in it asks for roles or scopes.
fn demands(rule: &Rule) -> bool {
    let here = !rule.requirements.roles.is_empty() || !rule.requirements.scopes.is_empty();
    here || match &rule.combination {
        Combination::Use(_) => false,
        Combination::Any(rules) | Combination::All(rules) => rules.iter().any(demands),
    }
}
