//! Path templates: `/literal/{name}/{.+}`.

use super::path::{NormalPath, PathError, PathPolicy};

/// A parsed path template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The parts between the slashes; a trailing slash is an empty last literal.
    pub parts: Vec<Part>,
    /// Whether the template ends with `{.+}`.
    pub open: bool,
}

/// What stands between two slashes of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text, fully decoded.
    Literal(String),
    /// `{name}`: one segment that is not empty.
    Parameter(String),
}

/// Why a template was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// It does not begin with `/`.
    NotAbsolute,
    /// `{.+}` is not the whole last segment.
    RestNotLast,
    /// Braces that do not enclose one whole segment, or a name that is not `[A-Za-z_][A-Za-z0-9_-]*`.
    BadParameter,
    /// Two parameters of one name.
    RepeatedParameter,
    /// A literal that the path policy refuses in requests: the route could never match.
    Unmatchable(PathError),
    /// A `?`: the query takes no part in matching.
    HasQuery,
}

impl Template {
    /// Reads a template; literals may be percent-encoded.
    ///
    /// # Errors
    ///
    /// A [`TemplateError`] that says what is wrong.
    pub fn parse(text: &str, policy: PathPolicy) -> Result<Self, TemplateError> {
        let Some(body) = text.strip_prefix('/') else {
            return Err(TemplateError::NotAbsolute);
        };
        if body.contains('?') {
            return Err(TemplateError::HasQuery);
        }
        let mut parts = Vec::new();
        let mut open = false;
        let mut texts = body.split('/').peekable();
        while let Some(part) = texts.next() {
            let last = texts.peek().is_none();
            if part == "{.+}" && last {
                open = true;
            } else if part.contains("{.+}") {
                return Err(TemplateError::RestNotLast);
            } else if part.contains(['{', '}']) {
                let name = parameter_name(part).ok_or(TemplateError::BadParameter)?;
                let part = Part::Parameter(name.to_owned());
                if parts.contains(&part) {
                    return Err(TemplateError::RepeatedParameter);
                }
                parts.push(part);
            } else {
                parts.push(Part::Literal(literal(part, last, policy)?));
            }
        }
        Ok(Self { parts, open })
    }

    /// Where the parameter with this name stands: the index of its segment.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<usize> {
        self.parts.iter().position(|part| matches!(part, Part::Parameter(parameter) if parameter == name))
    }
}

impl std::fmt::Display for TemplateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotAbsolute => "a path begins with `/`",
            Self::RestNotLast => "`{.+}` can only be the whole last segment",
            Self::BadParameter => "a parameter is one whole segment, `{name}`, named in letters, digits, `_` and `-`",
            Self::RepeatedParameter => "two parameters have one name",
            Self::Unmatchable(_) => "no request can have this path: the path policy refuses it",
            Self::HasQuery => "the query string takes no part in matching; leave out `?` and what follows",
        })
    }
}

fn parameter_name(part: &str) -> Option<&str> {
    let name = part.strip_prefix('{')?.strip_suffix('}')?;
    let mut characters = name.chars();
    let first = characters.next()?;
    let good = (first.is_ascii_alphabetic() || first == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    good.then_some(name)
}

fn literal(part: &str, last: bool, policy: PathPolicy) -> Result<String, TemplateError> {
    if part.is_empty() && !last {
        return Err(TemplateError::Unmatchable(PathError::EmptySegment));
    }
    let path = NormalPath::new(format!("/{part}").as_bytes(), policy);
    let path = path.map_err(TemplateError::Unmatchable)?;
    if path.has_encoded_slash() {
        return Err(TemplateError::Unmatchable(PathError::EncodedSlash));
    }
    match path.segment(0).filter(|segment| path.len() == 1 && segment.is_empty() == part.is_empty()) {
        Some(segment) => Ok(segment.to_owned()),
        None => Err(TemplateError::Unmatchable(PathError::DotSegment)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    fn parse(text: &str) -> Result<Template, TemplateError> {
        Template::parse(text, PathPolicy::Strict)
    }

    test!(literals_parameters_and_the_rest_are_told_apart, {
        let template = parse("/orders/{id}/%69tems/{.+}").unwrap();
        assert_eq!(
            template.parts,
            [Part::Literal("orders".to_owned()), Part::Parameter("id".to_owned()), Part::Literal("items".to_owned())]
        );
        assert!(template.open);
        assert_eq!(template.parameter("id"), Some(1));
        assert_eq!(template.parameter("orders"), None);
        assert_eq!(parse("/").unwrap().parts, [Part::Literal(String::new())]);
        assert_eq!(parse("/{.+}").unwrap().parts, []);
    });

    test!(what_can_never_match_is_refused, {
        for (text, error) in [
            ("", TemplateError::NotAbsolute),
            ("orders", TemplateError::NotAbsolute),
            ("/{.+}/x", TemplateError::RestNotLast),
            ("/a{.+}", TemplateError::RestNotLast),
            ("/{.+}/", TemplateError::RestNotLast),
            ("/{}", TemplateError::BadParameter),
            ("/{1}", TemplateError::BadParameter),
            ("/a{id}", TemplateError::BadParameter),
            ("/{id", TemplateError::BadParameter),
            ("/{.*}", TemplateError::BadParameter),
            ("/{id}/{id}", TemplateError::RepeatedParameter),
            ("/a?b", TemplateError::HasQuery),
            ("/a//b", TemplateError::Unmatchable(PathError::EmptySegment)),
            ("/a/../b", TemplateError::Unmatchable(PathError::DotSegment)),
            ("/a%2fb", TemplateError::Unmatchable(PathError::EncodedSlash)),
            ("/a;b", TemplateError::Unmatchable(PathError::Parameter)),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
        assert!(Template::parse("/a;b", PathPolicy::Normalize).is_ok());
        assert!(Template::parse("/a/..", PathPolicy::Normalize).is_err());
    });
}
