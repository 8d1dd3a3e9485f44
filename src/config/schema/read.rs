//! Reading the members whose JSON takes several forms.

use std::fmt;

use super::{
    ApiKeysSchema, AuthSchema, AuthenticatorSchema, ClaimValuesSchema, CombinationSchema, HmacSchema,
    IntrospectionSchema, JwtSchema, MappedSchema, MtlsSchema, RestrictionsSchema, RuleSchema, SecretSchema,
    ValueSchema,
};
use crate::{
    config::{
        decode::{Decode, Errors, Member, Node, NonEmpty, member_path},
        error::ConfigErrorKind,
    },
    json::Json,
};

impl Decode for AuthenticatorSchema {
    fn decode(node: &Node<'_>, errors: &mut Errors) -> Option<Self> {
        node.object(errors)?;
        let kind: Member<String> = node.required("type", errors);
        let kind = kind.get()?;
        let path = || member_path(&node.path, "type");
        match kind.as_str() {
            "jwt" => JwtSchema::decode(node, errors).map(|jwt| Self::Jwt(Box::new(jwt))),
            "introspection" => {
                IntrospectionSchema::decode(node, errors).map(|schema| Self::Introspection(Box::new(schema)))
            }
            "api_key" => ApiKeysSchema::decode(node, errors).map(|schema| Self::ApiKey(Box::new(schema))),
            "mtls" => MtlsSchema::decode(node, errors).map(|schema| Self::Mtls(Box::new(schema))),
            "hmac" => HmacSchema::decode(node, errors).map(|schema| Self::Hmac(Box::new(schema))),
            _ => {
                let known = &["jwt", "introspection", "api_key", "mtls", "hmac"];
                errors.push(path(), ConfigErrorKind::NotOneOf { known });
                None
            }
        }
    }
}

impl Decode for AuthSchema {
    fn decode(node: &Node<'_>, errors: &mut Errors) -> Option<Self> {
        match node.json {
            Json::Bool(false) => Some(Self::Public),
            Json::Bool(true) => Some(Self::Default),
            Json::String(_) | Json::Object(_) => RuleSchema::read(node, true, errors).map(Self::Rule),
            _ => node.wrong_type("true, false, the name of an authenticator, or an object", errors),
        }
    }
}

impl Decode for RuleSchema {
    fn decode(node: &Node<'_>, errors: &mut Errors) -> Option<Self> {
        Self::read(node, false, errors)
    }
}

impl RuleSchema {
    fn read(node: &Node<'_>, outermost: bool, errors: &mut Errors) -> Option<Self> {
        if let Json::String(name) = node.json {
            return Some(Self {
                combination: Some(CombinationSchema::Use(name.clone())),
                restrictions: RestrictionsSchema {
                    roles: Member::Absent,
                    scopes: Member::Absent,
                    audiences: Member::Absent,
                    claims: Member::Absent,
                    optional: false,
                },
                is_object: false,
            });
        }
        if !matches!(node.json, Json::Object(_)) {
            return node.wrong_type("the name of an authenticator, or an object", errors);
        }
        let known: &[&str] = if outermost { &OUTERMOST_RULE_KEYS } else { &RULE_KEYS };
        node.check_keys(known, errors)?;
        let restrictions = RestrictionsSchema {
            roles: node.optional("roles", errors),
            scopes: node.optional("scopes", errors),
            audiences: node.optional("audiences", errors),
            claims: node.optional("claims", errors),
            optional: node.optional("optional", errors).get().copied().unwrap_or(false),
        };
        let one: Member<String> = node.optional("use", errors);
        let any: Member<NonEmpty<Self>> = node.optional("any", errors);
        let all: Member<NonEmpty<Self>> = node.optional("all", errors);
        let combination = match (one, any, all) {
            (Member::Good(name), Member::Absent, Member::Absent) => Some(CombinationSchema::Use(name)),
            (Member::Absent, Member::Good(rules), Member::Absent) => Some(CombinationSchema::Any(rules)),
            (Member::Absent, Member::Absent, Member::Good(rules)) => Some(CombinationSchema::All(rules)),
            (Member::Bad, Member::Absent, Member::Absent)
            | (Member::Absent, Member::Bad, Member::Absent)
            | (Member::Absent, Member::Absent, Member::Bad) => None,
            _ => {
                let rule = "give exactly one of `use`, `any` and `all`";
                node.error(ConfigErrorKind::Contradiction(rule), errors);
                None
            }
        };
        Some(Self { combination, restrictions, is_object: true })
    }
}

impl Decode for MappedSchema {
    fn decode(node: &Node<'_>, errors: &mut Errors) -> Option<Self> {
        match node.json {
            Json::String(value) => {
                let value = Member::Good(value.clone());
                let long =
                    ValueSchema { value, form: Member::Absent, default: Member::Absent, required: Member::Absent };
                Some(Self { value: long, is_long: false })
            }
            Json::Object(_) => ValueSchema::decode(node, errors).map(|value| Self { value, is_long: true }),
            _ => node.wrong_type("a string, or an object with `value`", errors),
        }
    }
}

impl Decode for ClaimValuesSchema {
    fn decode(node: &Node<'_>, errors: &mut Errors) -> Option<Self> {
        let scalar = |json: &Json| matches!(json, Json::String(_) | Json::Number(_) | Json::Bool(_));
        match node.json {
            Json::Array(items) if items.is_empty() => {
                node.error(ConfigErrorKind::Empty, errors);
                None
            }
            Json::Array(items) if items.iter().all(scalar) => Some(Self(items.clone())),
            Json::Array(items) if items.contains(&Json::Null) => None, // reported already
            json if scalar(json) => Some(Self(vec![json.clone()])),
            _ => node.wrong_type("a string, number or boolean, or a list of them", errors),
        }
    }
}

impl Decode for SecretSchema {
    fn decode(node: &Node<'_>, errors: &mut Errors) -> Option<Self> {
        match node.json {
            Json::String(text) if text.is_empty() => {
                node.error(ConfigErrorKind::Empty, errors);
                None
            }
            Json::String(text) => Some(Self::Text(text.clone())),
            Json::Object(_) => {
                node.check_keys(&["env"], errors)?;
                node.required("env", errors).get().cloned().map(Self::Environment)
            }
            _ => node.wrong_type("a string, or {\"env\": NAME}", errors),
        }
    }
}

impl fmt::Debug for SecretSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretSchema")
    }
}

const RULE_KEYS: [&str; 7] = ["use", "any", "all", "roles", "scopes", "audiences", "claims"];
const OUTERMOST_RULE_KEYS: [&str; 8] = ["use", "any", "all", "roles", "scopes", "audiences", "claims", "optional"];
