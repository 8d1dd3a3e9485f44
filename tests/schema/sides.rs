//! What a JSON Schema can see of a mistake. The unit tests of `src/config/` have this file as well, so that every broken
//! configuration there, and in `tests/scenarios/`, is held against the schema.
//!
//! A new kind of error, or a new text of one, has to be put on one of the sides.

use jsonschema::Validator;

use super::{ConfigError, ConfigErrorKind, TemplateError};

/// Who sees a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It is one of shape: the schema refuses it.
    Shape,
    /// It is one of meaning: the schema accepts it, and the filter alone refuses it.
    Meaning,
    /// The form of a text, of which the schema knows a part: it may refuse it.
    Partly,
}

/// Asserts that the schema and the filter agree about a configuration, whose errors are those of the filter.
pub fn assert_agree(schema: &Validator, text: &str, errors: &[ConfigError]) {
    // What is not JSON is nothing for a schema.
    let Ok(value) = serde_json::from_str(text) else { return };
    let sides: Vec<Side> = errors.iter().map(|error| side(&error.kind)).collect();
    let refused = schema.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).next();
    match &refused {
        None => assert!(!sides.contains(&Side::Shape), "the schema accepts {text}\nand the filter says {errors:#?}"),
        Some(error) => assert!(
            sides.contains(&Side::Shape) || sides.contains(&Side::Partly),
            "the schema refuses {text}\n{error}\nand the filter says {errors:#?}"
        ),
    }
}

/// The side of a mistake.
pub fn side(kind: &ConfigErrorKind) -> Side {
    match kind {
        ConfigErrorKind::Null
        | ConfigErrorKind::UnknownKey { .. }
        | ConfigErrorKind::Required
        | ConfigErrorKind::Empty => Side::Shape,
        // Whether a day exists.
        ConfigErrorKind::WrongType { expected } if expected.starts_with("a time such as") => Side::Partly,
        ConfigErrorKind::WrongType { .. } => Side::Shape,
        // Upper and lower case are alike.
        ConfigErrorKind::NotOneOf { known } if known.contains(&"x-original-url") => Side::Meaning,
        ConfigErrorKind::NotOneOf { .. } => Side::Shape,
        ConfigErrorKind::Template(TemplateError::NotAbsolute | TemplateError::HasQuery) => Side::Shape,
        ConfigErrorKind::Template(_) => Side::Meaning,
        ConfigErrorKind::Invalid(text) => listed(&FORMS, text),
        ConfigErrorKind::Contradiction(text) => listed(&RULES, text),
        // A key without a type.
        ConfigErrorKind::Key(_) => Side::Partly,
        ConfigErrorKind::Json(_)
        | ConfigErrorKind::DuplicateMember
        | ConfigErrorKind::Dangling { .. }
        | ConfigErrorKind::Repeated
        | ConfigErrorKind::EnvironmentUnset { .. }
        | ConfigErrorKind::SigningKey(_)
        | ConfigErrorKind::AudienceRequired { .. }
        | ConfigErrorKind::AlgorithmsWithoutKey
        | ConfigErrorKind::SecretTooShort { .. }
        | ConfigErrorKind::Expression(_)
        | ConfigErrorKind::SameRoute { .. } => Side::Meaning,
    }
}

fn listed(texts: &[(Side, &[&str])], text: &str) -> Side {
    let side = texts.iter().find(|(_, begin)| begin.iter().any(|begin| text.starts_with(begin)));
    side.map_or_else(|| panic!("put `{text}` on one of the sides of tests/schema/sides.rs"), |(side, _)| *side)
}

/// How the forms that the filter asks for begin.
const FORMS: [(Side, &[&str]); 3] = [
    (
        Side::Meaning,
        &[
            "100ms at least",
            "`whsec_`",
            "a time from 1ms to 24h",
            "base64",
            "free of control characters",
            "from 1ms to",
            "longer than zero",
            "the SHA-256 of a key; this is that of an empty one",
            "whole seconds",
        ],
    ),
    (
        Side::Partly,
        &[
            "a host name without port",
            "a name, or the beginning of one",
            "an http or https URL",
            "an origin and nothing after it",
            "the name of a cluster",
            "the path of a claim",
        ],
    ),
    (
        Side::Shape,
        &[
            "a SHA-256: 64 hexadecimal digits",
            "a header name",
            "a method in upper case",
            "a name of 1 to 64 letters",
            "a name of letters",
            "a role",
            "an origin as browsers write it",
            "at most 1000000",
            "at most 128 letters",
            "at most 67108864",
            "at most 8 secrets",
            "one scope",
            "printable ASCII",
        ],
    ),
];

/// How the rules that the filter names begin.
const RULES: [(Side, &[&str]); 3] = [
    (
        Side::Meaning,
        &[
            "ANY serves every method",
            "CONNECT has no path",
            "`*` accepts any",
            "`authenticators` has a `default` already",
            "asks for a credential, and there is no authenticator",
            "has another meaning",
            "is the header of `identity_token`",
            "not a header that carries a credential",
            "reads bearer tokens alone",
            "there are several authenticators",
        ],
    ),
    (Side::Partly, &["a caller without a credential has no roles", "a header that frames or routes the request"]),
    (
        Side::Shape,
        &[
            "`generic` has `keys`",
            "a value with a default is never missing",
            "give exactly one of",
            "has no effect with `\"csrf\": \"off\"`",
            "has no effect: the scheme does not say",
            "needs a pattern",
            "only `generic` has keys",
            "only a header has a scheme",
            "says how `secret` is written",
        ],
    ),
];
