//! Where credentials are found in a request, and how they are taken out of it.

pub mod scheme;

use std::borrow::Cow;

use crate::{
    deny::Reason,
    query,
    request::{Request, folded_name},
};

/// A place where an authenticator looks for its credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A header, whose whole value is the credential unless there is a scheme before it.
    Header {
        /// In lower case.
        name: String,
        /// The authentication scheme (RFC 9110 §11.1).
        scheme: Option<String>,
    },
    /// A cookie (RFC 6265 §4.2), names compared with case.
    Cookie {
        /// Its name.
        name: String,
    },
    /// A query parameter (RFC 6750 §2.3).
    Query {
        /// Its name.
        name: String,
    },
}

/// What to do when one authenticator finds differing credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMultiple {
    /// Refuse the request.
    #[default]
    Reject,
    /// Take the first source that has one.
    FirstSource,
}

/// A credential that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential<'a> {
    /// The credential.
    pub value: Cow<'a, str>,
    /// Whether cookies alone carry it: browsers attach those to requests that other sites make.
    pub from_cookie: bool,
    /// The authentication schemes that it was presented with.
    pub schemes: Schemes<'a>,
}

/// Authentication schemes (RFC 9110 §11.1), compared without case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schemes<'a> {
    first: Option<&'a str>,
    others: Vec<&'a str>,
}

/// Places from which credentials are removed, for all authenticators of a route together. Credentials are read under
/// their exact names, and removed under every spelling that a service could take for one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Headers, folded.
    headers: Vec<String>,
    /// Cookies.
    cookies: Vec<String>,
    /// Query parameters, folded.
    query: Vec<String>,
    /// What stays all the same, by its exact name.
    kept: Vec<Source>,
}

/// One value at one source; none if it is there but malformed.
type Presented<'a> = Option<Cow<'a, str>>;

impl Source {
    /// Whether two sources read one place, whatever scheme they expect there.
    fn is_same_place(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Header { name, .. }, Self::Header { name: other, .. }) => name == other,
            _ => self == other,
        }
    }

    /// The authentication scheme that goes before the credential here.
    #[must_use]
    pub fn scheme(&self) -> Option<&str> {
        match self {
            Self::Header { scheme, .. } => scheme.as_deref(),
            Self::Cookie { .. } | Self::Query { .. } => None,
        }
    }

    /// Shows every value that the request presents here, until somebody has seen enough. Empty ones are none.
    fn try_for_each<'a, E>(
        &self,
        request: &Request<'a>,
        mut show: impl FnMut(Presented<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Header { name, scheme } => request.header(name).try_for_each(|value| match scheme {
                Some(scheme) => after_schemes(value, scheme, &mut show),
                None if value.is_empty() => Ok(()),
                None => show(whole(value)),
            }),
            Self::Cookie { name } => crumbs(request)
                .filter_map(|crumb| crumb_value(crumb, name))
                .filter(|value| !value.is_empty())
                .try_for_each(|value| show(whole(value))),
            Self::Query { name } => query::pieces(request.query.unwrap_or_default())
                .filter(|piece| *piece.name() == *name.as_bytes())
                .map(|piece| piece.value())
                .filter(|value| !value.is_empty())
                .try_for_each(|value| show(String::from_utf8(value.into_owned()).ok().map(Cow::Owned))),
        }
    }

    /// Whether the request presents a value here.
    fn is_used(&self, request: &Request<'_>) -> bool {
        self.try_for_each(request, |_| Err(())).is_err()
    }
}

impl<'a> Schemes<'a> {
    /// Whether one of them is this.
    #[must_use]
    pub fn has(&self, scheme: &str) -> bool {
        self.first.iter().chain(&self.others).any(|other| other.eq_ignore_ascii_case(scheme))
    }

    fn insert(&mut self, scheme: &'a str) {
        match self.first {
            None => self.first = Some(scheme),
            Some(_) => self.others.push(scheme),
        }
    }
}

/// Finds the credential that the request presents at these sources. Byte-identical copies are one.
///
/// # Errors
///
/// [`Reason::AmbiguousCredential`] for differing ones, [`Reason::MalformedCredential`] for a scheme that one token and
/// nothing else does not follow, and for what is not text.
pub fn find<'a>(
    sources: &'a [Source],
    on_multiple: OnMultiple,
    request: &Request<'a>,
) -> Result<Option<Credential<'a>>, Reason> {
    let mut found: Option<(Presented<'a>, bool)> = None;
    let mut schemes = Schemes::default();
    for source in sources {
        let cookie = matches!(source, Source::Cookie { .. });
        source.try_for_each(request, |value| {
            match &mut found {
                None => found = Some((value, cookie)),
                Some((first, from_cookie)) if *first == value => *from_cookie &= cookie,
                Some(_) => return Err(Reason::AmbiguousCredential),
            }
            source.scheme().into_iter().for_each(|scheme| schemes.insert(scheme));
            Ok(())
        })?;
        if found.is_some() && on_multiple == OnMultiple::FirstSource {
            break;
        }
    }
    match found {
        None => Ok(None),
        Some((None, _)) => Err(Reason::MalformedCredential),
        Some((Some(value), from_cookie)) => Ok(Some(Credential { value, from_cookie, schemes })),
    }
}

/// The sources that carry the credential which [`find`] found.
#[must_use]
pub fn carriers<'a>(sources: &'a [Source], on_multiple: OnMultiple, request: &Request<'_>) -> Vec<&'a Source> {
    let most = if on_multiple == OnMultiple::FirstSource { 1 } else { sources.len() };
    sources.iter().filter(|source| source.is_used(request)).take(most).collect()
}

impl Places {
    /// Whether a header is removed, by its name and the folded form of it.
    #[must_use]
    pub fn has_header(&self, name: &str, folded: &str) -> bool {
        let kept = |source: &Source| matches!(source, Source::Header { name: kept, .. } if kept == name);
        self.headers.iter().any(|header| header == folded) && !self.kept.iter().any(kept)
    }

    /// Whether a piece of the query is removed.
    #[must_use]
    pub fn has_piece(&self, piece: &query::Piece<'_>) -> bool {
        let kept = |source: &Source| matches!(source, Source::Query { name } if *piece.name() == *name.as_bytes());
        let named = |folded: &str| self.query.iter().any(|name| name == folded);
        !self.query.is_empty() && piece.may_be(named) && !self.kept.iter().any(kept)
    }

    /// Leaves what is at a source in place.
    pub fn keep(&mut self, source: &Source) {
        self.kept.push(source.clone());
    }

    /// Removes what is at a source after all.
    pub fn give_up(&mut self, source: &Source) {
        self.kept.retain(|kept| !kept.is_same_place(source));
    }

    /// Adds a source.
    pub fn insert(&mut self, source: &Source) {
        let (names, name) = match source {
            Source::Header { name, .. } => (&mut self.headers, folded_name(name).into_owned()),
            Source::Cookie { name } => (&mut self.cookies, name.clone()),
            Source::Query { name } => (&mut self.query, query::folded_name(name)),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }

    /// What is left of the request's cookies, or nothing where all of them stay.
    #[must_use]
    pub fn strip_cookies(&self, request: &Request<'_>) -> Option<Vec<u8>> {
        if self.cookies.is_empty() {
            return None;
        }
        let kept = |name: &String| self.kept.contains(&Source::Cookie { name: name.clone() });
        let names: Vec<&String> = self.cookies.iter().filter(|name| !kept(name)).collect();
        let unwanted = |crumb: &[u8]| names.iter().any(|name| crumb_value(crumb, name).is_some());
        if names.is_empty() || !crumbs(request).any(unwanted) {
            return None;
        }
        let mut headers = Vec::new();
        for header in request.header("cookie") {
            let kept: Vec<&[u8]> = split_crumbs(header).filter(|crumb| !unwanted(crumb)).collect();
            let mut header = kept.join(b";".as_slice());
            if header.first() == Some(&b' ') {
                header.remove(0); // the blank that followed a removed crumb's semicolon
            }
            if !header.is_empty() {
                headers.push(header);
            }
        }
        Some(headers.join(b"; ".as_slice()))
    }
}

/// Shows the tokens after an authentication scheme. Envoy joins repeated headers that it knows with commas, which no token
/// holds: where every part begins with a scheme, each is a header of its own.
fn after_schemes<'a, E>(
    value: &'a [u8],
    scheme: &str,
    show: &mut impl FnMut(Presented<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let parts = || value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    match after_scheme(value, scheme) {
        // No token holds a comma.
        Some(Some(token)) => show(Some(token)),
        Some(None) => {
            let is_joined = value.contains(&b',') && parts().all(|part| after_scheme(part, scheme).is_some());
            if !is_joined {
                return show(None);
            }
            parts().filter_map(|part| after_scheme(part, scheme)).try_for_each(show)
        }
        // Not at the start of the value, so it is not read; but it is there, and an optional route must not overlook it.
        None if value.contains(&b',') && parts().skip(1).any(|part| after_scheme(part, scheme).is_some()) => show(None),
        None => Ok(()),
    }
}

/// The token after an authentication scheme; nothing where the value has another scheme (RFC 9110 §11.4).
fn after_scheme<'a>(value: &'a [u8], scheme: &str) -> Option<Presented<'a>> {
    let (start, rest) = value.split_at_checked(scheme.len())?;
    if !start.eq_ignore_ascii_case(scheme.as_bytes()) {
        return None;
    }
    match rest.first() {
        Some(byte) if crate::request::is_token(*byte) => return None, // a longer scheme
        Some(b' ') => {}
        _ => return Some(None),
    }
    let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
    let token = rest.get(blanks..).unwrap_or_default();
    Some(if is_one_token(token) { whole(token) } else { None })
}

/// Whether all bytes are visible ASCII, and none a comma: eight at a time, as tokens are long.
fn is_one_token(token: &[u8]) -> bool {
    const fn each(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    const HIGH: u64 = each(0x80);
    // The highest bit of a byte is set in `x - n` where x < n, as long as no byte of x is above 0x7f, which the first term
    // tells; a borrow comes from a byte below that is at fault itself.
    let faults = |word: u64| {
        let above = word | word.wrapping_add(each(1));
        let below = word.wrapping_sub(each(0x21));
        let comma = (word ^ each(b',')).wrapping_sub(each(1));
        above | below | comma
    };
    let (words, rest) = token.as_chunks::<8>();
    let one_by_one = |bytes: &[u8]| bytes.iter().all(|byte| byte.is_ascii_graphic() && *byte != b',');
    let faults = words.iter().fold(0, |all, word| all | faults(u64::from_ne_bytes(*word)));
    !token.is_empty() && faults & HIGH == 0 && one_by_one(rest)
}

fn whole(value: &[u8]) -> Presented<'_> {
    std::str::from_utf8(value).ok().map(Cow::Borrowed)
}

fn crumbs<'a>(request: &Request<'a>) -> impl Iterator<Item = &'a [u8]> {
    request.header("cookie").flat_map(split_crumbs)
}

fn split_crumbs(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    header.split(|byte| *byte == b';')
}

/// The value of a cookie crumb with this name, its double quotes taken off (RFC 6265 §4.1.1).
fn crumb_value<'a>(crumb: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut parts = crumb.splitn(2, |byte| *byte == b'=');
    let crumb_name = parts.next()?.trim_ascii();
    let value = parts.next().unwrap_or_default().trim_ascii();
    if crumb_name != name.as_bytes() {
        return None;
    }
    match value {
        [b'"', quoted @ .., b'"'] => Some(quoted),
        value => Some(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{request::Head, test::test};

    fn head(path: &str, headers: &[(&str, &str)]) -> Head {
        let mut all = vec![(":method".to_owned(), b"GET".to_vec()), (":path".to_owned(), path.as_bytes().to_vec())];
        for (name, value) in headers {
            all.push(((*name).to_owned(), value.as_bytes().to_vec()));
        }
        Head { headers: all.into(), end_of_stream: true }
    }

    fn bearer() -> Source {
        Source::Header { name: "authorization".to_owned(), scheme: Some("Bearer".to_owned()) }
    }

    fn sources() -> [Source; 3] {
        [bearer(), Source::Cookie { name: "session".to_owned() }, Source::Query { name: "access_token".to_owned() }]
    }

    fn look(on_multiple: OnMultiple, path: &str, headers: &[(&str, &str)]) -> Result<Option<(String, bool)>, Reason> {
        let head = head(path, headers);
        let request = Request::new(&head).unwrap();
        let sources = sources();
        let found = find(&sources, on_multiple, &request)?;
        Ok(found.map(|credential| (credential.value.into_owned(), credential.from_cookie)))
    }

    fn authorization(value: &str) -> Result<Option<(String, bool)>, Reason> {
        look(OnMultiple::Reject, "/", &[("authorization", value)])
    }

    fn token(from_cookie: bool) -> Result<Option<(String, bool)>, Reason> {
        Ok(Some(("t".to_owned(), from_cookie)))
    }

    test!(a_scheme_is_followed_by_one_token, {
        for value in ["Bearer t", "bearer t", "BEARER    t"] {
            assert_eq!(authorization(value), token(false), "{value}");
        }
        assert_eq!(authorization("Basic dTpw, Bearer t"), Err(Reason::MalformedCredential));
        assert_eq!(authorization("Bearer t, Basic dTpw"), Err(Reason::MalformedCredential));
        for value in ["", "Basic t", "Bearert", "Bearer-x t", "t"] {
            assert_eq!(authorization(value), Ok(None), "{value}");
        }
        for value in ["Bearer", "Bearer ", "Bearer t ", "Bearer t u", "Bearer t, u", "Bearer\tt", "Bearer, t"] {
            assert_eq!(authorization(value), Err(Reason::MalformedCredential), "{value}");
        }
    });

    test!(copies_are_one_credential_and_differing_ones_are_ambiguous, {
        assert_eq!(authorization("Bearer t, bearer t"), token(false));
        assert_eq!(authorization("Bearer t,Bearer u"), Err(Reason::AmbiguousCredential));
        let header = ("authorization", "Bearer t");
        let reject = |path, headers: &[_]| look(OnMultiple::Reject, path, headers);
        assert_eq!(reject("/", &[("cookie", "a=b; session=\"t\"")]), token(true));
        assert_eq!(reject("/?access_token=t", &[]), token(false));
        assert_eq!(reject("/?x&access_token=%74&access_token=t", &[header, ("cookie", "session=t")]), token(false));
        for (path, headers) in [
            ("/?access_token=u", vec![header]),
            ("/?access_token=t&access_token=u", vec![]),
            ("/", vec![header, ("authorization", "Bearer u")]),
            ("/", vec![header, ("authorization", "Bearer")]),
            ("/", vec![("cookie", "session=t"), ("cookie", "session=u")]),
        ] {
            assert_eq!(reject(path, &headers), Err(Reason::AmbiguousCredential), "{path} {headers:?}");
        }
        assert_eq!(reject("/?access_token=", &[("cookie", "session=")]), Ok(None));
    });

    test!(the_first_source_can_win_but_not_against_itself, {
        let first = |path, headers: &[_]| look(OnMultiple::FirstSource, path, headers);
        assert_eq!(first("/?access_token=u", &[("authorization", "Bearer t")]), token(false));
        assert_eq!(first("/?access_token=t&access_token=u", &[]), Err(Reason::AmbiguousCredential));
    });

    test!(cookies_are_removed_crumb_by_crumb, {
        let mut places = Places::default();
        places.insert(&sources()[1]);
        let strip = |cookies: &[&str]| {
            let headers: Vec<_> = cookies.iter().map(|value| ("cookie", *value)).collect();
            let head = head("/", &headers);
            let left = places.strip_cookies(&Request::new(&head).unwrap());
            left.map(|left| String::from_utf8(left).unwrap())
        };
        assert_eq!(strip(&["a=1; session=t; b=2"]).as_deref(), Some("a=1; b=2"));
        assert_eq!(strip(&["session=t; a=1;b=\"x\""]).as_deref(), Some("a=1;b=\"x\""));
        assert_eq!(strip(&["a=1; session=t"]).as_deref(), Some("a=1"));
        assert_eq!(strip(&["session=t", "a=1; session"]).as_deref(), Some("a=1"));
        assert_eq!(strip(&["session=t"]).as_deref(), Some(""));
        assert_eq!(strip(&["a=session; sessions=1"]), None);
    });
}
