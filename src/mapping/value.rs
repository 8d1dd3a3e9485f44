//! From a value to the text of a header or query parameter.

use std::borrow::Cow;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{json::Json, query::percent_triplet};

/// A value that a source gave.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// A claim.
    Json(&'a Json),
    /// A list of strings: roles or scopes.
    List(&'a [String]),
    /// Text, or a header's bytes.
    Text(Cow<'a, [u8]>),
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Arrays joined with commas.
    Csv,
    /// Compact JSON.
    Json,
    /// The plain text, in base64url without padding.
    Base64Url,
}

impl<'a> Value<'a> {
    /// The value's text: strings as they are, numbers with their exact digits, arrays of scalars joined with commas,
    /// everything else as compact JSON, unless `form` says otherwise. None where a header's bytes would have to become
    /// JSON and are not UTF-8.
    #[must_use]
    pub fn render(self, form: Option<Form>) -> Option<Cow<'a, [u8]>> {
        match form {
            None => Some(self.plain(false)),
            Some(Form::Csv) => Some(self.plain(true)),
            Some(Form::Json) => self.json().map(|json| json.into_bytes().into()),
            Some(Form::Base64Url) => Some(BASE64_URL_SAFE_NO_PAD.encode(self.plain(false)).into_bytes().into()),
        }
    }

    fn plain(self, csv: bool) -> Cow<'a, [u8]> {
        match self {
            Self::Json(Json::Array(items)) if csv || items.iter().all(is_scalar) => {
                joined(items.iter().map(scalar_text)).into()
            }
            Self::Json(json) => bytes(scalar_text(json)),
            Self::List(items) => joined(items.iter().map(|item| item.as_str().into())).into(),
            Self::Text(text) => text,
        }
    }

    fn json(self) -> Option<String> {
        Some(match self {
            Self::Json(json) => json.to_string(),
            Self::List(items) => Json::Array(items.iter().cloned().map(Json::String).collect()).to_string(),
            Self::Text(text) => Json::String(String::from_utf8(text.into_owned()).ok()?).to_string(),
        })
    }
}

/// Whether a header can carry a value as it is: no control character, no white space at its ends.
#[must_use]
pub fn fits_header(value: &[u8]) -> bool {
    match std::str::from_utf8(value) {
        Ok(text) => !text.contains(char::is_control) && text.trim().len() == text.len(),
        Err(_) => {
            let blank = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_whitespace);
            !value.iter().any(u8::is_ascii_control) && !blank(value.first()) && !blank(value.last())
        }
    }
}

fn is_scalar(json: &Json) -> bool {
    !matches!(json, Json::Array(_) | Json::Object(_))
}

fn scalar_text(json: &Json) -> Cow<'_, str> {
    match json {
        Json::String(text) | Json::Number(text) => text.into(),
        json => json.to_string().into(),
    }
}

fn bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => text.as_bytes().into(),
        Cow::Owned(text) => text.into_bytes().into(),
    }
}

/// Items parted by commas; a comma or `%` of an item's own is percent-encoded, so that the list can be taken apart again.
fn joined<'a>(items: impl Iterator<Item = Cow<'a, str>>) -> Vec<u8> {
    let mut list = Vec::new();
    for (index, item) in items.enumerate() {
        if index > 0 {
            list.push(b',');
        }
        for byte in item.bytes() {
            match byte {
                b',' | b'%' => list.extend_from_slice(&percent_triplet(byte)),
                byte => list.push(byte),
            }
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    fn render(json: &str, form: Option<Form>) -> String {
        let json = Json::parse(json.as_bytes(), 32).unwrap();
        String::from_utf8(Value::Json(&json).render(form).unwrap().into_owned()).unwrap()
    }

    test!(values_take_the_form_of_their_type, {
        for (json, text) in [
            ("\"a,b%\"", "a,b%"),
            ("12345678901234567890", "12345678901234567890"),
            ("1.50", "1.50"),
            ("true", "true"),
            ("[\"a\",\"b,c\",\"d%\",1,false]", "a,b%2Cc,d%25,1,false"),
            ("[]", ""),
            ("[[1],2]", "[[1],2]"),
            ("{\"a\": [1, \"x\"]}", "{\"a\":[1,\"x\"]}"),
        ] {
            assert_eq!(render(json, None), text);
        }
    });

    test!(a_form_overrides_the_type, {
        assert_eq!(render("[[1,2],\"a\"]", Some(Form::Csv)), "[1%2C2],a");
        assert_eq!(render("\"a\"", Some(Form::Csv)), "a");
        assert_eq!(render("\"a\\\"\"", Some(Form::Json)), "\"a\\\"\"");
        assert_eq!(render("[\"a\"]", Some(Form::Json)), "[\"a\"]");
        assert_eq!(render("\"é\"", Some(Form::Base64Url)), "w6k");
        assert_eq!(Value::Text(vec![0xff].into()).render(Some(Form::Json)), None);
        assert_eq!(*Value::List(&["a".to_owned()]).render(Some(Form::Json)).unwrap(), *b"[\"a\"]");
    });

    test!(headers_carry_no_control_characters, {
        for good in ["", "a", "a b", "é", "a,b"] {
            assert!(fits_header(good.as_bytes()), "{good}");
        }
        for bad in ["a\r\nb", "a\0", "\ta", " a", "a ", "a\u{85}b", "\u{a0}a", "a\u{7f}", "a\tb"] {
            assert!(!fits_header(bad.as_bytes()), "{bad:?}");
        }
        assert!(fits_header(b"\xff") && !fits_header(b"\xff ") && !fits_header(b"\xff\n"));
    });
}
