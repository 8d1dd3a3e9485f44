//! Normalising a path once, so that what is matched is what is forwarded.
//!
//! Servers differ in how they read dots, slashes, encodings and parameters. A path that two of them could read
//! differently is refused here, before any route is looked up (RFC 3986 §6.2.2, RFC 9110 §4.2.3).

use std::borrow::Cow;

use crate::{hex, query::is_unreserved};

/// What to do with a path that servers read differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathPolicy {
    /// Refuse it.
    #[default]
    Strict,
    /// Resolve dot segments, merge slashes and keep `;`; refuse the rest.
    Normalize,
}

/// A path that every server reads in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NormalPath {
    /// As it is forwarded.
    text: String,
    segments: Vec<Segment>,
}

/// What stands between two slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Segment {
    /// Where it begins in the text, after its slash.
    start: usize,
    end: usize,
    /// Fully decoded, where that is another text.
    decoded: Option<Box<str>>,
}

/// Why a path was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// The target is not in origin form (RFC 9112 §3.2.1): it does not begin with `/`.
    NotOriginForm,
    /// A control character, a space, a backslash or a fragment, raw or encoded.
    Character,
    /// A `%` without two hexadecimal digits.
    MalformedEncoding,
    /// Not UTF-8.
    NotUtf8,
    /// An encoded `%` that hides another encoding.
    DoubleEncoding,
    /// A `.` or `..` segment.
    DotSegment,
    /// An empty segment.
    EmptySegment,
    /// A `;`.
    Parameter,
    /// An encoded slash, on a route that does not keep them.
    EncodedSlash,
}

impl NormalPath {
    /// Normalises the path of a request target, its query cut off.
    ///
    /// # Errors
    ///
    /// A [`PathError`] for everything that `policy` does not let through. An encoded slash is let through
    /// here: only the route can tell whether it is wanted ([`NormalPath::has_encoded_slash`]).
    pub fn new(path: &[u8], policy: PathPolicy) -> Result<Self, PathError> {
        let Some((b'/', path)) = path.split_first() else {
            return Err(PathError::NotOriginForm);
        };
        let mut normal = Self { text: String::with_capacity(path.len().saturating_add(1)), segments: Vec::new() };
        let mut raw_segments = path.split(|byte| *byte == b'/').peekable();
        while let Some(raw) = raw_segments.next() {
            let last = raw_segments.peek().is_none();
            let (text, decoded) = read_segment(raw, policy)?;
            match (decoded.as_deref().unwrap_or(&text), policy) {
                ("." | "..", PathPolicy::Strict) => return Err(PathError::DotSegment),
                ("", PathPolicy::Strict) if !last => return Err(PathError::EmptySegment),
                ("", PathPolicy::Normalize) if !last => continue,
                // RFC 3986 §5.2.4: a dot segment at the end leaves a trailing slash.
                (dots @ ("." | ".."), PathPolicy::Normalize) => {
                    if dots == ".." {
                        normal.pop();
                    }
                    if last {
                        normal.push("", None);
                    }
                }
                _ => normal.push(&text, decoded),
            }
        }
        Ok(normal)
    }

    /// How many segments there are after the leading slash; a trailing slash is an empty last one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.segments.len()
    }

    /// Whether there is no segment, as where dot segments have taken all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// A segment as it is compared: fully decoded.
    #[must_use]
    pub fn segment(&self, index: usize) -> Option<&str> {
        let segment = self.segments.get(index)?;
        match &segment.decoded {
            Some(decoded) => Some(decoded),
            None => self.text.get(segment.start..segment.end),
        }
    }

    /// All segments as they are compared.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> {
        (0..self.len()).filter_map(|index| self.segment(index))
    }

    /// Whether a segment holds an encoded slash.
    #[must_use]
    pub fn has_encoded_slash(&self) -> bool {
        self.segments.iter().any(|segment| segment.decoded.as_ref().is_some_and(|decoded| decoded.contains('/')))
    }

    /// The path as a server reads it that takes an encoded slash for a slash and drops parameters (RFC 3986 §3.3), if
    /// that is another one.
    #[must_use]
    pub fn lenient(&self) -> Option<Self> {
        if !self.text.contains(';') && !self.has_encoded_slash() {
            return None;
        }
        let mut lenient = Self { text: String::new(), segments: Vec::new() };
        for part in self.segments().flat_map(|segment| segment.split('/')) {
            lenient.push(part.split(';').next().unwrap_or_default(), None);
        }
        Some(lenient)
    }

    /// The path as it is forwarded, without its first `skipped` segments.
    #[must_use]
    pub fn forwarded(&self, skipped: usize) -> &str {
        let start = self.segments.get(skipped).map_or(self.text.len(), |segment| segment.start.saturating_sub(1));
        self.text.get(start..).unwrap_or_default()
    }

    fn push(&mut self, text: &str, decoded: Option<Box<str>>) {
        self.text.push('/');
        let start = self.text.len();
        self.text.push_str(text);
        self.segments.push(Segment { start, end: self.text.len(), decoded });
    }

    fn pop(&mut self) {
        if let Some(segment) = self.segments.pop() {
            self.text.truncate(segment.start.saturating_sub(1));
        }
    }
}

/// A segment as it is forwarded, and fully decoded where that is another text.
fn read_segment(raw: &[u8], policy: PathPolicy) -> Result<(Cow<'_, str>, Option<Box<str>>), PathError> {
    if raw.iter().all(|byte| is_unreserved(*byte) || b"!$&'()*+,=:@".contains(byte)) {
        // Nothing to decode, nothing to refuse: RFC 3986 §3.3 without `%` and `;`.
        return Ok((String::from_utf8_lossy(raw), None));
    }
    let (normalised, decoded) = decode(raw)?;
    // What the normalised form decodes to is what the raw form decodes to, as unreserved characters alone were
    // replaced; the checks below hold for both.
    let normalised = String::from_utf8(normalised).map_err(|_| PathError::NotUtf8)?;
    let decoded = String::from_utf8(decoded).map_err(|_| PathError::NotUtf8)?;
    if decoded.chars().any(|c| c.is_control() || c == '\\') || normalised.contains([' ', '#']) {
        return Err(PathError::Character);
    }
    if hides_encoding(decoded.as_bytes()) {
        return Err(PathError::DoubleEncoding);
    }
    // An encoded `;` begins a parameter to some servers and none to others.
    if decoded.contains(';') && (policy == PathPolicy::Strict || has_encoded_semicolon(raw)) {
        return Err(PathError::Parameter);
    }
    // `..;` and `a%2f..` are dot segments to servers that drop parameters or decode slashes.
    let hidden_dots = decoded.split('/').any(|part| matches!(part.split(';').next(), Some("." | "..")));
    if hidden_dots && !matches!(decoded.as_str(), "." | "..") {
        return Err(PathError::DotSegment);
    }
    let decoded = (decoded != normalised).then(|| decoded.into_boxed_str());
    Ok((Cow::Owned(normalised), decoded))
}

impl std::fmt::Display for PathError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotOriginForm => "it does not begin with a slash",
            Self::Character => "it holds a control character, space, backslash or `#`",
            Self::MalformedEncoding => "it holds a `%` without two hexadecimal digits",
            Self::NotUtf8 => "it is not UTF-8",
            Self::DoubleEncoding => "it is encoded twice",
            Self::DotSegment => "it holds a dot segment",
            Self::EmptySegment => "it holds an empty segment",
            Self::Parameter => "it holds a `;`",
            Self::EncodedSlash => "it holds an encoded slash",
        })
    }
}

fn has_encoded_semicolon(raw: &[u8]) -> bool {
    raw.windows(3).any(|window| window.eq_ignore_ascii_case(b"%3b"))
}

/// One segment with its unreserved characters decoded, and with all of them decoded.
fn decode(raw: &[u8]) -> Result<(Vec<u8>, Vec<u8>), PathError> {
    let mut normalised = Vec::with_capacity(raw.len());
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            normalised.push(byte);
            decoded.push(byte);
            continue;
        }
        let [high, low, after @ ..] = after else {
            return Err(PathError::MalformedEncoding);
        };
        let value = hex::read_pair(*high, *low).ok_or(PathError::MalformedEncoding)?;
        rest = after;
        decoded.push(value);
        if is_unreserved(value) {
            normalised.push(value);
        } else {
            normalised.extend_from_slice(&[b'%', *high, *low]);
        }
    }
    Ok((normalised, decoded))
}

/// Whether a decoded text would decode once more: `%2f`, or `%u002f` as some servers have it.
fn hides_encoding(decoded: &[u8]) -> bool {
    let plain =
        decoded.windows(3).any(|window| matches!(window, [b'%', high, low] if hex::read_pair(*high, *low).is_some()));
    let wide = decoded
        .windows(6)
        .any(|window| matches!(window, [b'%', b'u' | b'U', digits @ ..] if digits.iter().all(u8::is_ascii_hexdigit)));
    plain || wide
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    fn strict(path: &str) -> Result<String, PathError> {
        NormalPath::new(path.as_bytes(), PathPolicy::Strict).map(|path| path.forwarded(0).to_owned())
    }

    fn normalize(path: &str) -> Result<String, PathError> {
        NormalPath::new(path.as_bytes(), PathPolicy::Normalize).map(|path| path.forwarded(0).to_owned())
    }

    test!(a_plain_path_stays_as_it_is, {
        for path in ["/", "/a", "/a/", "/a/b.c/~d", "/a%20b", "/é", "/%C3%A9", "/100%25", "/a:b@c,d=e&f+g!"] {
            assert_eq!(strict(path).as_deref(), Ok(path));
            assert_eq!(normalize(path).as_deref(), Ok(path));
        }
    });

    test!(unreserved_characters_are_decoded, {
        assert_eq!(strict("/%61dmin%2Dx").as_deref(), Ok("/admin-x"));
        assert_eq!(strict("/a%2eb").as_deref(), Ok("/a.b"));
    });

    test!(what_servers_read_differently_is_refused, {
        for (path, error) in [
            ("", PathError::NotOriginForm),
            ("*", PathError::NotOriginForm),
            ("http://a/b", PathError::NotOriginForm),
            ("/a/../b", PathError::DotSegment),
            ("/a/%2e%2E/b", PathError::DotSegment),
            ("/a/.%2e", PathError::DotSegment),
            ("/./a", PathError::DotSegment),
            ("//a", PathError::EmptySegment),
            ("/a//", PathError::EmptySegment),
            ("/a\\b", PathError::Character),
            ("/a%5cb", PathError::Character),
            ("/a%00", PathError::Character),
            ("/a%0d%0a", PathError::Character),
            ("/a%7f", PathError::Character),
            ("/a%c2%85", PathError::Character),
            ("/a\tb", PathError::Character),
            ("/a b", PathError::Character),
            ("/a#b", PathError::Character),
            ("/a%", PathError::MalformedEncoding),
            ("/a%2", PathError::MalformedEncoding),
            ("/a%zz", PathError::MalformedEncoding),
            ("/%%36%31", PathError::MalformedEncoding),
            ("/a%u002f", PathError::MalformedEncoding),
            ("/a%ff", PathError::NotUtf8),
            ("/a%c0%af", PathError::NotUtf8),
            ("/a%252fb", PathError::DoubleEncoding),
            ("/a%25%36%31", PathError::DoubleEncoding),
            ("/a%25252f", PathError::DoubleEncoding),
            ("/a%25u002f", PathError::DoubleEncoding),
            ("/a;b", PathError::Parameter),
            ("/a%3bb", PathError::Parameter),
            ("/a%2f..%2fb", PathError::DotSegment),
        ] {
            assert_eq!(strict(path), Err(error), "{path}");
        }
        assert_eq!(NormalPath::new(b"/\xff", PathPolicy::Strict), Err(PathError::NotUtf8));
    });

    test!(encoded_slashes_are_told, {
        let path = NormalPath::new(b"/@scope%2Fname/x", PathPolicy::Strict).unwrap();
        assert!(path.has_encoded_slash());
        assert_eq!(path.forwarded(0), "/@scope%2Fname/x");
        assert_eq!(path.segments().collect::<Vec<_>>(), ["@scope/name", "x"]);
        assert_eq!(path.forwarded(1), "/x");
        assert_eq!(path.forwarded(2), "");
    });

    test!(normalising_resolves_dots_and_merges_slashes, {
        for (path, expected) in [
            ("/a/../b", "/b"),
            ("/a/./b", "/a/b"),
            ("/../../a", "/a"),
            ("/a/..", "/"),
            ("/a/.", "/a/"),
            ("/a//b///c", "/a/b/c"),
            ("//", "/"),
            ("/a/%2e%2e/b", "/b"),
            ("/a;v=1/b", "/a;v=1/b"),
            ("/a//../b", "/b"),
        ] {
            assert_eq!(normalize(path).as_deref(), Ok(expected), "{path}");
        }
        for path in ["/a/..;/b", "/a/.;x/b", "/a%3bb", "/a;b%3Bc", "/a%2f../b", "/a%5cb", "/a%252e", "/a%00", "a"] {
            assert!(normalize(path).is_err(), "{path}");
        }
    });

    test!(normalising_twice_changes_nothing, {
        for path in ["/a/../b", "/%61/b//c", "/x/%2e/y/", "/a;b/./"] {
            let once = normalize(path).unwrap();
            assert_eq!(normalize(&once), Ok(once.clone()), "{path}");
        }
    });
}
