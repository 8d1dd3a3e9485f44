//! Text and bytes in scenarios: what a request holds, and what a header is compared with.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

use super::token::ExpectedToken;

/// A string, or `{bytes: "/a\xff"}` in which every character up to U+00FF is one byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// Text that may hold placeholders.
    Template(String),
    /// Bytes as they are.
    Bytes(Vec<u8>),
}

/// What a header must be.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// One value, exactly.
    Exactly(Text),
    /// These values, in this order.
    Values(Vec<Text>),
    /// One value that holds this text.
    Contains(String),
    /// One value that is this JSON, whatever the order of its members.
    Json(Value),
    /// One value that is a token of gatepost's own.
    Jwt(Box<ExpectedToken>),
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Expected::deserialize(deserializer)? {
            Expected::Exactly(text) => Ok(text),
            _ => Err(de::Error::custom("expected a string, or {bytes: ...}")),
        }
    }
}

impl<'de> Deserialize<'de> for Expected {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ExpectedVisitor)
    }
}

struct ExpectedVisitor;

impl<'de> Visitor<'de> for ExpectedVisitor {
    type Value = Expected;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a list of strings, or one of {bytes}, {contains}, {json}, {jwt}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Expected, E> {
        Ok(Expected::Exactly(Text::Template(text.to_owned())))
    }

    // `7` and `true` have one spelling; what has several in YAML (`1.0`, `~`) must be quoted.
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Expected, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Expected, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Expected, E> {
        self.visit_str(if value { "true" } else { "false" })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Expected, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element()? {
            values.push(value);
        }
        Ok(Expected::Values(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Expected, A::Error> {
        let kind: String = members.next_key()?.ok_or_else(|| de::Error::custom("an empty object says nothing"))?;
        let expected = match kind.as_str() {
            "bytes" => {
                let text: String = members.next_value()?;
                let bytes = text.chars().map(|c| u8::try_from(u32::from(c))).collect::<Result<_, _>>();
                let bytes = bytes.map_err(|_| de::Error::custom("bytes: a character beyond U+00FF"))?;
                Expected::Exactly(Text::Bytes(bytes))
            }
            "contains" => Expected::Contains(members.next_value()?),
            "json" => Expected::Json(members.next_value()?),
            "jwt" => Expected::Jwt(members.next_value()?),
            other => return Err(de::Error::unknown_field(other, &["bytes", "contains", "json", "jwt"])),
        };
        match members.next_key::<String>()? {
            None => Ok(expected),
            Some(more) => Err(de::Error::custom(format!("{kind} stands alone; {more} is too much"))),
        }
    }
}
