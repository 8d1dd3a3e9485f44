//! JSON as gatepost reads it: members in order, numbers with their exact digits, duplicates visible.
//!
//! `serde_json` does the parsing. Its own `Value` keeps the last of two members with one name and turns long
//! integers into floats; both would let a token say one thing to gatepost and another to a service
//! (RFC 7515 §4, RFC 8725 §2.6), so values are read one level at a time through [`RawValue`].

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it was written.
    Number(String),
    /// A string, unescaped.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object: its members in the order in which they were written, duplicates included.
    Object(Vec<(String, Json)>),
}

/// Why a text is not the JSON that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// The text is not UTF-8 (RFC 8259 §8.1).
    NotUtf8,
    /// The text is not JSON; the position is that of the first byte that does not fit.
    Syntax {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes.
        column: usize,
    },
    /// Arrays and objects nest deeper than the caller allows.
    TooDeep,
}

impl Json {
    /// Reads one JSON value that nests at most `depth` levels of arrays and objects.
    ///
    /// # Errors
    ///
    /// Whatever [`JsonError`] names. Duplicate members are no error here: see [`Json::has_duplicates`].
    pub fn parse(text: &[u8], depth: usize) -> Result<Self, JsonError> {
        let text = std::str::from_utf8(text).map_err(|_| JsonError::NotUtf8)?;
        let trimmed = text.trim_matches([' ', '\t', '\n', '\r']);
        if trimmed.len() == text.len() && text.starts_with(['{', '[']) {
            return Self::read(text, depth); // checked while it is read
        }
        let raw: &RawValue = serde_json::from_str(text)?;
        Self::read(raw.get(), depth)
    }

    /// Reads a JSON object in which no member name comes twice at any depth: what a JOSE header and a claims
    /// set have to be (RFC 7515 §4, RFC 7519 §4).
    #[must_use]
    pub fn parse_strict_object(text: &[u8], depth: usize) -> Option<Self> {
        let value = Self::parse(text, depth).ok()?;
        (matches!(value, Self::Object(_)) && !value.has_duplicates()).then_some(value)
    }

    /// The value of the member with exactly this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(member, _)| member == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The value of the only member with exactly this name; none if there are several.
    #[must_use]
    pub fn get_unique(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else {
            return None;
        };
        let mut values = members.iter().filter(|(member, _)| member == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether two scalars are equal as JSON values: `1`, `1.0` and `1e0` are, `1` and `"1"` are not, and integers
    /// beyond 2^53 are compared digit by digit. Arrays and objects have to be written alike.
    #[must_use]
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => numbers_equal(a, b),
            _ => self == other,
        }
    }

    /// How much memory the value takes, roughly, in bytes.
    #[must_use]
    pub fn footprint(&self) -> usize {
        let heap = match self {
            Self::Null | Self::Bool(_) => 0,
            Self::Number(text) | Self::String(text) => text.capacity(),
            Self::Array(items) => items.iter().map(Self::footprint).fold(0, usize::saturating_add),
            Self::Object(members) => members
                .iter()
                .map(|(name, value)| {
                    value.footprint().saturating_add(name.capacity()).saturating_add(size_of::<String>())
                })
                .fold(0, usize::saturating_add),
        };
        heap.saturating_add(size_of::<Self>())
    }

    /// Whether any object in the value has two members with one name.
    #[must_use]
    pub fn has_duplicates(&self) -> bool {
        match self {
            Self::Array(items) => items.iter().any(Self::has_duplicates),
            Self::Object(members) => {
                has_duplicate_names(members) || members.iter().any(|(_, value)| value.has_duplicates())
            }
            _ => false,
        }
    }

    fn read(raw: &str, depth: usize) -> Result<Self, JsonError> {
        Ok(match raw.as_bytes().first() {
            Some(b'{') => {
                let depth = depth.checked_sub(1).ok_or(JsonError::TooDeep)?;
                let members: Members<'_> = serde_json::from_str(raw)?;
                // No larger than needed: a configuration may hold a hundred thousand objects at once.
                let mut read = Vec::with_capacity(members.0.len());
                for (mut name, value) in members.0 {
                    name.shrink_to_fit();
                    read.push((name, Self::read(value.get(), depth)?));
                }
                Self::Object(read)
            }
            Some(b'[') => {
                let depth = depth.checked_sub(1).ok_or(JsonError::TooDeep)?;
                let items: Vec<&RawValue> = serde_json::from_str(raw)?;
                let mut read = Vec::with_capacity(items.len());
                for item in items {
                    read.push(Self::read(item.get(), depth)?);
                }
                Self::Array(read)
            }
            // What has no escape is what is between the quotes: that it is JSON is known.
            Some(b'"') => Self::String(match raw.get(1..raw.len().saturating_sub(1)).filter(|_| !raw.contains('\\')) {
                Some(text) => text.to_owned(),
                None => serde_json::from_str(raw)?,
            }),
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'n') => Self::Null,
            _ => Self::Number(raw.to_owned()),
        })
    }
}

/// The compact form: no white space, members in order, numbers as they were written.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(digits) => f.write_str(digits),
            Self::String(text) => f.write_str(&quoted(text)),
            Self::Array(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        f.write_str(",")?;
                    }
                    write!(f, "{item}")?;
                }
                f.write_str("]")
            }
            Self::Object(members) => {
                f.write_str("{")?;
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        f.write_str(",")?;
                    }
                    write!(f, "{}:{value}", quoted(name))?;
                }
                f.write_str("}")
            }
        }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => f.write_str("not UTF-8"),
            Self::Syntax { line, column } => {
                write!(f, "not JSON: line {line}, column {column}")
            }
            Self::TooDeep => f.write_str("nested too deeply"),
        }
    }
}

impl std::error::Error for JsonError {}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        Self::Syntax { line: error.line(), column: error.column() }
    }
}

fn has_duplicate_names(members: &[(String, Json)]) -> bool {
    if members.len() > FEW_MEMBERS {
        return duplicate_names(members).next().is_some();
    }
    let mut rest = members;
    while let [(name, _), others @ ..] = rest {
        if others.iter().any(|(other, _)| other == name) {
            return true;
        }
        rest = others;
    }
    false
}

/// Members of a claims set, mostly.
const USUAL_MEMBERS: usize = 8;
/// As many as are compared faster than sorted.
const FEW_MEMBERS: usize = 24;

/// The names that come more than once among the members of one object.
pub(crate) fn duplicate_names(members: &[(String, Json)]) -> impl Iterator<Item = &str> {
    // Sorted, because a hostile header may hold thousands of members.
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let next = names.clone().into_iter().skip(1);
    let pairs: Vec<_> = names.into_iter().zip(next).collect();
    pairs.into_iter().filter(|(name, next)| name == next).map(|(name, _)| name)
}

/// A JSON string literal.
fn quoted(text: &str) -> Cow<'static, str> {
    // Writing a string to memory cannot fail; the fallback is there so that no path can panic.
    serde_json::to_string(text).map_or(Cow::Borrowed("\"\""), Cow::Owned)
}

fn numbers_equal(a: &str, b: &str) -> bool {
    let integer = |text: &str| !text.contains(['.', 'e', 'E']);
    if integer(a) && integer(b) {
        let zero = |text: &str| text == "0" || text == "-0";
        return a == b || (zero(a) && zero(b));
    }
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a.is_finite() && a == b,
        _ => false,
    }
}

/// The members of one object, their values still unread.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(USUAL_MEMBERS);
                while let Some(member) = map.next_entry::<String, &'de RawValue>()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    fn parse(text: &str) -> Result<Json, JsonError> {
        Json::parse(text.as_bytes(), 32)
    }

    test!(numbers_keep_their_digits, {
        for digits in ["12345678901234567890", "1.10", "-0", "1E400", "0.1e-7"] {
            assert_eq!(parse(digits), Ok(Json::Number(digits.to_owned())));
        }
    });

    test!(what_is_written_is_what_was_read, {
        let text = r#"{"a":[1,2.50,{"b":null}],"c":"\u00e9\n","d":true}"#;
        assert_eq!(parse(text).unwrap().to_string(), "{\"a\":[1,2.50,{\"b\":null}],\"c\":\"é\\n\",\"d\":true}");
    });

    test!(duplicates_are_seen_at_every_depth, {
        for text in [r#"{"a":1,"a":1}"#, r#"{"x":[{"a":1,"b":2,"a":3}]}"#, r#"{"a":1,"\u0061":2}"#] {
            assert!(parse(text).unwrap().has_duplicates(), "{text}");
            assert_eq!(Json::parse_strict_object(text.as_bytes(), 32), None);
        }
        assert!(!parse(r#"{"a":{"a":1},"b":[{"a":1},{"a":2}]}"#).unwrap().has_duplicates());
    });

    test!(depth_is_bounded, {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(&nested(32)).is_ok());
        assert_eq!(parse(&nested(33)), Err(JsonError::TooDeep));
        assert_eq!(parse(&nested(100_000)), Err(JsonError::TooDeep));
    });

    test!(what_is_not_json_is_refused, {
        for text in ["", "{", "{}x", "{'a':1}", "01", "\"\\ud800\"", "[1,]", "NaN", "\u{feff}{}"] {
            assert!(matches!(parse(text), Err(JsonError::Syntax { .. })), "{text}");
        }
        assert_eq!(Json::parse(b"\"\xff\"", 32), Err(JsonError::NotUtf8));
    });

    test!(equality_is_that_of_values, {
        let equal = |a: &str, b: &str| parse(a).unwrap().equals(&parse(b).unwrap());
        assert!(equal("1", "1.0") && equal("100", "1e2") && equal("\"a\"", "\"\\u0061\""));
        assert!(!equal("1", "\"1\"") && !equal("9007199254740993", "9007199254740992"));
        assert!(!equal("1e999", "1e998") && !equal("true", "1"));
    });
}
