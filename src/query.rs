//! The raw query string: finding, removing and appending parameters, every other byte left as it came.
//!
//! Services disagree on how a query is read: some split at `;`, decode names, ignore case, or cut them at `[`. A
//! name is therefore compared in its folded form, in which all spellings that any common framework takes for one
//! parameter are the same ([`folded_name`]).

use std::borrow::Cow;

use crate::hex;

/// One `name=value` between two separators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The separator before the piece; none before the first.
    separator: Option<u8>,
    text: &'a [u8],
}

impl<'a> Piece<'a> {
    /// The name, decoded.
    #[must_use]
    pub fn name(&self) -> Cow<'a, [u8]> {
        decode(self.text.split(|byte| *byte == b'=').next().unwrap_or_default())
    }

    /// Whether a service could take the piece for a parameter whose folded name `is` accepts.
    #[must_use]
    pub fn may_be(&self, mut is: impl FnMut(&str) -> bool) -> bool {
        let name = self.name();
        let name = String::from_utf8_lossy(&name);
        // Most names are folded as they are, and a query may hold thousands.
        if name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')) {
            return is(&name);
        }
        if is(&folded_name(&name)) {
            return true;
        }
        let trimmed = trimmed(&name);
        // To PHP a bracket that is not closed is a `_`; to qs a name may begin with one.
        trimmed.contains('[')
            && (is(&folded(&trimmed.replace('[', "_")))
                || trimmed.strip_prefix('[').is_some_and(|name| {
                    let end = name.find(['[', ']', '\0']).unwrap_or(name.len());
                    is(&folded_name(name.get(..end).unwrap_or_default()))
                }))
    }

    /// The value, decoded; empty where there is no `=`.
    #[must_use]
    pub fn value(&self) -> Cow<'a, [u8]> {
        let value = self.text.splitn(2, |byte| *byte == b'=').nth(1);
        decode(value.unwrap_or_default())
    }
}

/// The pieces of a query (without its `?`), split at `&` and at `;`.
pub fn pieces(query: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = Some(query);
    let mut separator = None;
    std::iter::from_fn(move || {
        let query = rest?;
        let end = query.iter().position(|byte| matches!(byte, b'&' | b';'));
        let (text, after) = query.split_at_checked(end.unwrap_or(query.len()))?;
        let piece = Piece { separator, text };
        separator = after.first().copied();
        rest = after.get(1..);
        Some(piece)
    })
}

/// The form in which decoded names are compared: trimmed, in lower case, cut at `[` and at NUL, with `.` and space as
/// `_`. PHP, Rack, Express and others fold names in these ways.
#[must_use]
pub fn folded_name(name: &str) -> String {
    let name = trimmed(name);
    let end = name.find(['[', '\0']).unwrap_or(name.len());
    folded(name.get(..end).unwrap_or_default())
}

/// The query without the pieces that `unwanted` names, or nothing where all of it stays.
#[must_use]
pub fn remove<'a>(query: &'a [u8], mut unwanted: impl FnMut(&Piece<'a>) -> bool) -> Option<Vec<u8>> {
    let mut kept = Vec::with_capacity(query.len());
    let mut first = true;
    let mut removed = false;
    for piece in pieces(query) {
        if unwanted(&piece) {
            removed = true;
            continue;
        }
        if !first {
            kept.extend(piece.separator);
        }
        first = false;
        kept.extend_from_slice(piece.text);
    }
    removed.then_some(kept)
}

/// Appends `name=value`, percent-encoded, to a query.
pub fn append(query: &mut Vec<u8>, name: &str, value: &[u8]) {
    if !query.is_empty() {
        query.push(b'&');
    }
    query.extend_from_slice(percent_encoded(name.as_bytes()).as_bytes());
    query.push(b'=');
    query.extend_from_slice(percent_encoded(value).as_bytes());
}

fn trimmed(name: &str) -> &str {
    // A second `?` ends up in the first name; some URL classes drop it again.
    name.trim_start_matches(|c: char| is_blank(c) || c == '?')
}

fn folded(name: &str) -> String {
    name.trim_end_matches(is_blank).to_lowercase().replace(['.', ' '], "_")
}

fn is_blank(c: char) -> bool {
    // JavaScript trims the byte order mark as well.
    c.is_whitespace() || c.is_control() || c == '\u{feff}'
}

/// Percent-decodes, with `+` as a space; a `%` that no two hexadecimal digits follow stays.
fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'%', [high, low, after @ ..]) => match hex::read_pair(*high, *low) {
                Some(value) => {
                    decoded.push(value);
                    rest = after;
                }
                None => decoded.push(byte),
            },
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(byte),
        }
    }
    Cow::Owned(decoded)
}

/// The text with all but the unreserved characters percent-encoded (RFC 3986 §2.3).
pub(crate) fn percent_encoded(text: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for &byte in text {
        if is_unreserved(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(percent_triplet(byte).map(char::from));
        }
    }
    encoded
}

/// `%` and two upper-case hexadecimal digits (RFC 3986 §2.1).
pub(crate) fn percent_triplet(byte: u8) -> [u8; 3] {
    let [high, low] = hex::write_pair(byte).map(|digit| digit.to_ascii_uppercase());
    [b'%', high, low]
}

/// Whether a byte is an unreserved character (RFC 3986 §2.3).
pub(crate) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    fn without_actor(query: &str) -> Option<String> {
        let kept = remove(query.as_bytes(), |piece| piece.may_be(|name| name == "actor"));
        kept.map(|kept| String::from_utf8(kept).unwrap())
    }

    fn may_be(name: &str, parameter: &str) -> bool {
        pieces(name.as_bytes()).next().unwrap().may_be(|name| name == parameter)
    }

    test!(every_spelling_of_a_name_is_one_name, {
        for spelling in [
            "actor",
            "ACTOR",
            "%61ctor",
            "act%6Fr",
            "actor[]",
            "actor[0]",
            "actor%5B%5D",
            "actor%00x",
            "+actor",
            "%20actor%20",
            "actor+",
            "%0aactor",
            "?actor",
            "%3factor",
            "actor [x]",
            "[actor]",
            "%5Bactor%5D[]",
            "%ef%bb%bfactor",
        ] {
            assert!(may_be(spelling, "actor"), "{spelling}");
        }
        for spelling in ["user.name", "user+name", "user%2ename", "user[name", "User%5bname"] {
            assert!(may_be(spelling, "user_name"), "{spelling}");
        }
        assert!(!may_be("factor", "actor") && may_be("%zz", "%zz"));
        // What a configuration names is not encoded.
        assert_eq!((folded_name("a+b").as_str(), folded_name("a%2fb").as_str()), ("a+b", "a%2fb"));
        assert!(may_be("a%2Bb", "a+b"));
    });

    test!(removal_leaves_every_other_byte, {
        assert_eq!(without_actor("a=1&actor=x&b=2").as_deref(), Some("a=1&b=2"));
        assert_eq!(without_actor("actor=x&a=%2f+%zz").as_deref(), Some("a=%2f+%zz"));
        assert_eq!(without_actor("a=1;actor=x;b").as_deref(), Some("a=1;b"));
        assert_eq!(without_actor("actor=x").as_deref(), Some(""));
        assert_eq!(without_actor("&&actor&&").as_deref(), Some("&&&"));
        assert_eq!(without_actor("a=actor&factor=1"), None);
        assert_eq!(without_actor(""), None);
    });

    test!(appended_values_are_encoded, {
        let mut query = b"a=1".to_vec();
        append(&mut query, "actor", "é &=/\r\n".as_bytes());
        assert_eq!(query, b"a=1&actor=%C3%A9%20%26%3D%2F%0D%0A");
        let mut query = Vec::new();
        append(&mut query, "x", b"1");
        assert_eq!(query, b"x=1");
    });

    test!(pieces_have_names_and_values, {
        let query: Vec<_> =
            pieces(b"a=1=2&b;c=%41+").map(|piece| (piece.name().into_owned(), piece.value().into_owned())).collect();
        let expected: [(&[u8], &[u8]); 3] = [(b"a", b"1=2"), (b"b", b""), (b"c", b"A ")];
        assert_eq!(query, expected.map(|(n, v)| (n.to_vec(), v.to_vec())));
    });
}
