//! What the readers of `read` accept, whose JSON takes several forms.

use super::{
    ApiKeysSchema, AuthSchema, AuthenticatorSchema, ClaimValuesSchema, HmacSchema, IntrospectionSchema, JwtSchema,
    MappedSchema, MtlsSchema, RuleSchema, SecretSchema, Sha256Schema, ValueSchema,
};
use crate::config::{
    decode::NonEmpty,
    describe::{
        Condition, Definitions, Describe, Kind, Member, Rule, Shape,
        forms::{ClaimPath, Expression, Filled, NamedBy, Role, Scope, Sha256},
    },
};

impl Describe for AuthenticatorSchema {
    fn describe(definitions: &mut Definitions) -> Shape {
        let doc = "Who verifies credentials, and how: `type` says which of the following it is.";
        definitions.tagged(
            "Authenticator",
            &[doc],
            "type",
            &[
                ("jwt", JwtSchema::describe),
                ("introspection", IntrospectionSchema::describe),
                ("api_key", ApiKeysSchema::describe),
                ("mtls", MtlsSchema::describe),
                ("hmac", HmacSchema::describe),
            ],
        )
    }
}

impl Describe for AuthSchema {
    fn describe(definitions: &mut Definitions) -> Shape {
        let doc = "Who may call: `false` is everyone, `true` whoever the default authenticator accepts, a name whoever that \
                   authenticator accepts. An object says more.";
        definitions.define("Auth", &[doc], |definitions| {
            let rule = definitions.define(
                "Rule",
                &["Who may call, and what is asked of them."],
                |definitions| {
                    let mut members = rule_members(definitions);
                    let optional = Member::optional(
                        "optional",
                        &["Whether a request without a credential passes, without identity. A bad credential is refused all \
                           the same. Never together with `roles` or `scopes`."],
                        Shape::Boolean,
                    );
                    members.push(Member { default: Some("false"), ..optional });
                    let anonymous =
                        Condition { forbidden: &["roles", "scopes"], ..Condition::of("optional", &["true"]) };
                    Kind::Object { members, rules: vec![COMBINATION, Rule::When(anonymous)] }
                },
            );
            Kind::Form(Shape::AnyOf(vec![Shape::Boolean, Shape::TEXT, rule]))
        })
    }
}

impl Describe for RuleSchema {
    fn describe(definitions: &mut Definitions) -> Shape {
        let doc = "A rule inside another: as there, but without `optional`.";
        let rule = definitions.define("InnerRule", &[doc], |definitions| Kind::Object {
            members: rule_members(definitions),
            rules: vec![COMBINATION],
        });
        Shape::AnyOf(vec![Shape::TEXT, rule])
    }
}

impl Describe for MappedSchema {
    fn describe(definitions: &mut Definitions) -> Shape {
        let long = ValueSchema::describe(definitions);
        let short = Expression::describe(definitions);
        Shape::AnyOf(vec![short, long])
    }
}

impl Describe for ClaimValuesSchema {
    fn describe(definitions: &mut Definitions) -> Shape {
        let doc = "A value that a claim may have, or several, any one of which will do. Numbers are equal as numbers.";
        definitions.define("ClaimValues", &[doc], |_| {
            let scalars = [Shape::TEXT, Shape::Number, Shape::Boolean];
            let list = Shape::list(Shape::AnyOf(scalars.to_vec()), 1);
            Kind::Form(Shape::AnyOf(scalars.into_iter().chain([list]).collect()))
        })
    }
}

impl Describe for SecretSchema {
    fn describe(definitions: &mut Definitions) -> Shape {
        let doc = "A secret: the text itself, or where it is. An empty one is an error.";
        definitions.define("Secret", &[doc], |definitions| {
            let doc = "A secret in the environment of the virtual machine that runs the filter.";
            let variable = definitions.define("EnvironmentVariable", &[doc], |_| Kind::Object {
                members: vec![Member::required(
                    "env",
                    &["The variable's name. Unset or empty is an error."],
                    Shape::TEXT,
                )],
                rules: Vec::new(),
            });
            Kind::Form(Shape::AnyOf(vec![Filled::describe(definitions), variable]))
        })
    }
}

impl Describe for Sha256Schema {
    fn describe(definitions: &mut Definitions) -> Shape {
        Sha256::describe(definitions)
    }
}

/// What all rules may hold.
fn rule_members(definitions: &mut Definitions) -> Vec<Member> {
    vec![
        Member::optional("use", &["The authenticator that has to accept the caller."], Shape::TEXT),
        Member::optional(
            "any",
            &["Rules, the first of which that accepts the caller, its own restrictions included, counts."],
            NonEmpty::<RuleSchema>::describe(definitions),
        ),
        Member::optional(
            "all",
            &["Rules all of which have to accept the caller. The identity, roles and scopes are those of the first."],
            NonEmpty::<RuleSchema>::describe(definitions),
        ),
        Member::optional(
            "roles",
            &["Roles, any one of which the caller needs."],
            NonEmpty::<Role>::describe(definitions),
        ),
        Member::optional(
            "scopes",
            &["Scopes, all of which the caller needs."],
            NonEmpty::<Scope>::describe(definitions),
        ),
        Member::optional(
            "audiences",
            &["Audiences, any one of which the credential needs, besides what its authenticator asks for."],
            NonEmpty::<Filled>::describe(definitions),
        ),
        Member::optional(
            "claims",
            &[
                "Claims, by their path, that must equal, or as an array contain, a value, besides what the authenticator asks \
               for.",
            ],
            NamedBy::<ClaimPath, ClaimValuesSchema>::describe(definitions),
        ),
    ]
}

const COMBINATION: Rule = Rule::ExactlyOne(&["use", "any", "all"]);
