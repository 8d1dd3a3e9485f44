//! What is wrong with a configuration, and where.

use std::fmt;

use crate::{
    crypto::{Algorithm, SigningKeyError},
    jose::jwk::JwkErrorKind,
    json::JsonError,
    mapping::expression::ExpressionError,
    route::template::TemplateError,
};

/// An error and its place: `authenticators.users.jwks.inline.keys[1].n: not base64url`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The place; empty for the configuration as a whole.
    pub path: String,
    /// What is wrong.
    pub kind: ConfigErrorKind,
}

/// What is wrong. No variant holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigErrorKind {
    /// The configuration is not JSON.
    Json(JsonError),
    /// A `null`.
    Null,
    /// A member name that comes twice.
    DuplicateMember,
    /// A member that no one reads.
    UnknownKey {
        /// What could stand there.
        known: &'static [&'static str],
    },
    /// A member that has to be there.
    Required,
    /// A value of another type.
    WrongType {
        /// What it should be.
        expected: &'static str,
    },
    /// A list or text that is empty and must not be.
    Empty,
    /// A text that is none of those that are understood.
    NotOneOf {
        /// What could stand there.
        known: &'static [&'static str],
    },
    /// A name that nothing in the configuration has.
    Dangling {
        /// What it should name.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A name or item that comes twice.
    Repeated,
    /// A value that does not have the form that is asked for.
    Invalid(&'static str),
    /// Members that exclude or need one another.
    Contradiction(&'static str),
    /// An environment variable that is not set, or empty.
    EnvironmentUnset {
        /// Its name.
        name: String,
    },
    /// A key that was refused.
    Key(JwkErrorKind),
    /// A key that cannot sign.
    SigningKey(SigningKeyError),
    /// A route whose requests get an identity token that is for nobody.
    AudienceRequired {
        /// Its place in `paths`.
        route: usize,
    },
    /// Algorithms of which the keys can verify none.
    AlgorithmsWithoutKey,
    /// A secret that is shorter than the hash of an algorithm that is asked for.
    SecretTooShort {
        /// The algorithm.
        algorithm: Algorithm,
        /// Length of the secret in bytes.
        bytes: usize,
    },
    /// A path template that was refused.
    Template(TemplateError),
    /// A value expression that was refused.
    Expression(ExpressionError),
    /// A route that could never be told apart from another.
    SameRoute {
        /// The other one's place in `paths`.
        other: usize,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return self.kind.fmt(f);
        }
        write!(f, "{}: {}", self.path, self.kind)
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => error.fmt(f),
            Self::Null => f.write_str("null; leave the member out instead"),
            Self::DuplicateMember => f.write_str("duplicate member"),
            Self::UnknownKey { known } => write!(f, "unknown key; there are {}", known.join(", ")),
            Self::Required => f.write_str("required"),
            Self::WrongType { expected } => write!(f, "must be {expected}"),
            Self::Empty => f.write_str("must not be empty"),
            Self::NotOneOf { known } => write!(f, "must be one of {}", known.join(", ")),
            Self::Dangling { what, name } => write!(f, "no {what} is named `{name}`"),
            Self::Repeated => f.write_str("comes twice"),
            Self::Invalid(expected) => write!(f, "must be {expected}"),
            Self::Contradiction(rule) => f.write_str(rule),
            Self::EnvironmentUnset { name } => {
                write!(f, "the environment variable `{name}` is not set, or empty; is it passed to the VM?")
            }
            Self::Key(kind) => kind.fmt(f),
            Self::SigningKey(error) => error.fmt(f),
            Self::AudienceRequired { route } => write!(
                f,
                "required: paths[{route}] asks for authentication and has no `integration`, whose server would be the audience"
            ),
            Self::AlgorithmsWithoutKey => f.write_str("none of them is one that the keys here can verify"),
            Self::SecretTooShort { algorithm, bytes } => {
                write!(f, "{bytes} bytes are too few for {algorithm}; a secret is at least as long as the hash")
            }
            Self::Template(TemplateError::Unmatchable(error)) => {
                write!(f, "{}: {error}", TemplateError::Unmatchable(*error))
            }
            Self::Template(error) => error.fmt(f),
            Self::Expression(error) => error.fmt(f),
            Self::SameRoute { other } => write!(f, "cannot be told apart from paths[{other}]"),
        }
    }
}
