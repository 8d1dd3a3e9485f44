//! What a request is: its head as the host gave it, and what will be left of it.

use std::borrow::Cow;

use crate::{deny::Reason, headers::Headers, query};

/// A request's head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// All headers in order, pseudo-headers included, names in lower case.
    pub headers: Headers,
    /// Whether the request ends with its head.
    pub end_of_stream: bool,
}

/// A head whose request line is known.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `:method`
    pub method: &'a str,
    /// `:scheme`; empty where the host does not tell.
    pub scheme: &'a str,
    /// `:authority`, or `host`; empty where there is none.
    pub authority: &'a str,
    /// The host of the authority, without its port.
    host: &'a str,
    /// The target before its `?`.
    pub path: &'a [u8],
    /// The target after its `?`.
    pub query: Option<&'a [u8]>,
    head: &'a Head,
}

/// A request after stripping: what value expressions can see.
#[derive(Debug)]
pub struct ForwardedView<'a> {
    pub(crate) request: Request<'a>,
    /// Whether each header is forwarded.
    pub(crate) kept: Vec<bool>,
    /// What is left of the cookies, where some of them were credentials; `kept` then leaves all `cookie` headers out.
    pub(crate) cookies: Option<Vec<u8>>,
    /// What is left of the query.
    pub(crate) query: Option<Cow<'a, [u8]>>,
}

impl Head {
    /// Whether the request is a gRPC call, which wants its answer as a gRPC status. The rule is Envoy's own, which turns
    /// the answer into one.
    #[must_use]
    pub fn is_grpc(&self) -> bool {
        let rest = self.headers.values("content-type").next().and_then(|value| value.strip_prefix(b"application/grpc"));
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+')))
    }

    /// The `Origin` of the request.
    #[must_use]
    pub fn origin(&self) -> Option<&[u8]> {
        self.headers.values("origin").next()
    }

    /// Whether the head is larger than any host carries: work and memory for one request stay bounded.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.headers.len() > MOST_HEADERS || self.headers.bytes() > MOST_BYTES
    }
}

impl<'a> Request<'a> {
    /// Reads the request line out of a head.
    ///
    /// # Errors
    ///
    /// [`Reason::MalformedHead`] if a part of it is missing, repeated or not what it should be, [`Reason::BadPath`] if
    /// the target holds what no target may.
    pub fn new(head: &'a Head) -> Result<Self, Reason> {
        let method = single(head, ":method")?.ok_or(Reason::MalformedHead)?;
        let target = single(head, ":path")?.ok_or(Reason::MalformedHead)?;
        let scheme = single(head, ":scheme")?.unwrap_or_default();
        let authority = single(head, ":authority")?;
        let host = single(head, "host")?;
        if authority.is_some() && host.is_some() && authority != host {
            return Err(Reason::MalformedHead);
        }
        let authority = authority.or(host).unwrap_or_default();
        // Some services take `post` for POST; here the methods of routes are compared with case.
        let is_method = |byte: &u8| is_token(*byte) && !byte.is_ascii_lowercase();
        if method.is_empty() || !method.iter().all(is_method) {
            return Err(Reason::MalformedHead);
        }
        // RFC 9112 §3.2: no white space, no control characters, no fragment.
        if target.iter().any(|byte| byte.is_ascii_control() || matches!(byte, b' ' | b'#')) {
            return Err(Reason::BadPath);
        }
        let mut parts = target.splitn(2, |byte| *byte == b'?');
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| Reason::MalformedHead);
        let authority = text(authority)?;
        let host = match authority {
            "" => "",
            authority => split_authority(authority).ok_or(Reason::MalformedHead)?.0,
        };
        Ok(Self {
            method: text(method)?,
            scheme: text(scheme)?,
            authority,
            host,
            path: parts.next().unwrap_or_default(),
            query: parts.next(),
            head,
        })
    }

    /// The head.
    #[must_use]
    pub fn head(&self) -> &'a Head {
        self.head
    }

    /// All headers, pseudo-headers included.
    #[must_use]
    pub fn headers(&self) -> &'a Headers {
        &self.head.headers
    }

    /// The values of one header.
    pub fn header(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.head.headers.values(name)
    }

    /// The host as routes compare it: in lower case, without port and without the dot of the root.
    #[must_use]
    pub fn host(&self) -> Cow<'a, str> {
        let host = self.host.strip_suffix('.').unwrap_or(self.host);
        if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Cow::Owned(host.to_ascii_lowercase());
        }
        Cow::Borrowed(host)
    }

    /// Whether the method may change something (RFC 9110 §9.2.1), or the connection turns into another one.
    #[must_use]
    pub fn is_unsafe(&self) -> bool {
        !matches!(self.method, "GET" | "HEAD" | "OPTIONS" | "TRACE") || self.header("upgrade").next().is_some()
    }

    /// The method that a true CORS preflight asks for: OPTIONS, one `Origin`, one `Access-Control-Request-Method`, no body.
    #[must_use]
    pub fn preflight_method(&self) -> Option<&'a str> {
        let only = |name| {
            let mut values = self.header(name);
            values.next().filter(|_| values.next().is_none())
        };
        if self.method != "OPTIONS" {
            return None;
        }
        let no_length = self.header("content-length").all(|value| value == b"0");
        if !self.head.end_of_stream || !no_length || self.header("transfer-encoding").next().is_some() {
            return None;
        }
        // A host may have joined repeated headers with commas.
        only("origin").filter(|origin| !origin.is_empty() && !origin.contains(&b',') && !origin.contains(&b' '))?;
        let method = std::str::from_utf8(only("access-control-request-method")?).ok()?;
        (!method.is_empty() && method.bytes().all(is_token)).then_some(method)
    }

    /// The names that `Connection` nominates, folded (RFC 9110 §7.6.1).
    pub fn nominated_names(&self) -> impl Iterator<Item = String> {
        self.header("connection")
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(|name| folded_name(String::from_utf8_lossy(name).trim()).into_owned())
    }

    /// Whether `origin` is the request's own: scheme and authority, default ports aside (RFC 6454 §4).
    #[must_use]
    pub fn is_own_origin(&self, origin: &[u8]) -> bool {
        let own = format!("{}://{}", self.scheme, self.authority).to_ascii_lowercase();
        let origin = String::from_utf8_lossy(origin).to_ascii_lowercase();
        !self.authority.is_empty() && without_default_port(&own) == without_default_port(&origin)
    }
}

impl ForwardedView<'_> {
    /// The request's method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.request.method
    }

    /// The value of a header; several are joined with commas (RFC 9110 §5.3).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<Vec<u8>> {
        if let Some(cookies) = self.cookies.as_ref().filter(|_| name == "cookie") {
            return (!cookies.is_empty()).then(|| cookies.clone());
        }
        let headers = self.request.headers().iter().zip(&self.kept);
        let values: Vec<&[u8]> = headers
            .filter(|((header, _), kept)| **kept && *header == name && !header.starts_with(':'))
            .map(|((_, value), _)| value)
            .collect();
        (!values.is_empty()).then(|| values.join(b", ".as_slice()))
    }

    /// The decoded value of a query parameter, the first where it is repeated.
    #[must_use]
    pub fn query_parameter(&self, name: &str) -> Option<Vec<u8>> {
        let query = self.query.as_deref()?;
        let mut pieces = query::pieces(query);
        let piece = pieces.find(|piece| *piece.name() == *name.as_bytes())?;
        Some(piece.value().into_owned())
    }
}

/// The form in which header names are compared: letters and digits in lower case, everything else as `-`. CGI, WSGI
/// and others turn `-`, `_` and `.` into one character, so all of them are one name.
#[must_use]
pub fn folded_name(name: &str) -> Cow<'_, str> {
    let folded = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.bytes().all(folded) {
        return Cow::Borrowed(name);
    }
    let fold = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    Cow::Owned(name.chars().map(fold).collect())
}

/// Whether a byte may be part of a token: a method or a header name (RFC 9110 §5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The scheme, the authority and what follows it of an http or https URL (RFC 9110 §4.2); none if there is a user, or the
/// authority could be read in more than one way.
pub(crate) fn split_http_url(url: &str) -> Option<(&'static str, &str, &str)> {
    let (scheme, rest) = match url.split_once("://")? {
        ("https", rest) => ("https", rest),
        ("http", rest) => ("http", rest),
        _ => return None,
    };
    let (authority, path) = rest.split_at_checked(rest.find(['/', '?']).unwrap_or(rest.len()))?;
    split_authority(authority)?;
    Some((scheme, authority, path))
}

/// The host and the port of an authority; none if servers could read it in more than one way: with a user, an encoding,
/// a second port or a second dot at the end (RFC 9110 §4.2.3).
pub(crate) fn split_authority(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.rfind(':').filter(|colon| authority.rfind(']').is_none_or(|end| end < *colon)) {
        None => (authority, None),
        Some(colon) => {
            let (host, port) = authority.split_at_checked(colon)?;
            let port = port.strip_prefix(':')?;
            let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            (host, Some(port.parse().ok().filter(|_| digits)?))
        }
    };
    let good = match host.strip_prefix('[') {
        Some(address) => address.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let name = host.strip_suffix('.').unwrap_or(host);
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            !name.is_empty() && !name.starts_with('.') && !name.ends_with('.') && name.bytes().all(is_name)
        }
    };
    good.then_some((host, port))
}

fn single<'a>(head: &'a Head, name: &str) -> Result<Option<&'a [u8]>, Reason> {
    let mut values = head.headers.values(name);
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(Reason::MalformedHead),
        (value, None) => Ok(value),
    }
}

fn without_default_port(origin: &str) -> &str {
    let port = if origin.starts_with("https:") { ":443" } else { ":80" };
    origin.strip_suffix(port).unwrap_or(origin)
}

// Envoy's own limits: 100 headers and 60 KiB unless configured, 8,192 KiB at most.
const MOST_HEADERS: usize = 1000;
const MOST_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    fn head(headers: &[(&str, &str)]) -> Head {
        let line =
            [(":method", "GET"), (":path", "/a?b"), (":scheme", "https"), (":authority", "API.example.com:8443")];
        let mut all: Vec<(String, Vec<u8>)> = Vec::new();
        for (name, value) in
            line.iter().filter(|(name, _)| !headers.iter().any(|(other, _)| other == name)).chain(headers)
        {
            all.push(((*name).to_owned(), value.as_bytes().to_vec()));
        }
        Head { headers: all.into(), end_of_stream: true }
    }

    test!(the_request_line_is_read, {
        let head = head(&[]);
        let request = Request::new(&head).unwrap();
        assert_eq!((request.method, request.path, request.query), ("GET", b"/a".as_slice(), Some(b"b".as_slice())));
        assert_eq!(request.host(), "api.example.com");
    });

    test!(hosts_lose_port_and_root_dot, {
        for (authority, host) in [("a.", "a"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("A_b:80", "a_b"), ("", "")] {
            let head = head(&[(":authority", authority)]);
            assert_eq!(Request::new(&head).unwrap().host(), host);
        }
    });

    test!(a_malformed_head_is_refused, {
        for headers in [
            [(":method", "GET"), (":method", "POST")],
            [(":method", "G T"), ("x", "")],
            [(":authority", "a@b"), ("x", "")],
            [(":authority", "a"), ("host", "b")],
            [(":authority", "a/b"), ("x", "")],
            [(":authority", "a:80:80"), ("x", "")],
            [(":authority", "a:"), ("x", "")],
            [(":authority", "a:x"), ("x", "")],
            [(":authority", "a:65536"), ("x", "")],
            [(":authority", "a:+80"), ("x", "")],
            [(":authority", "a.."), ("x", "")],
            [(":authority", ".a"), ("x", "")],
            [(":authority", "%61"), ("x", "")],
            [(":authority", "[a]"), ("x", "")],
            [(":authority", "[::1]x"), ("x", "")],
            [(":method", "post"), ("x", "")],
        ] {
            assert_eq!(Request::new(&head(&headers)).err(), Some(Reason::MalformedHead), "{headers:?}");
        }
        for path in ["/a#b", "/a?b#c", "/a b", "/a?b c", "/a?\u{1}"] {
            assert_eq!(Request::new(&head(&[(":path", path)])).err(), Some(Reason::BadPath), "{path}");
        }
        assert!(Request::new(&Head::default()).is_err());
    });

    test!(a_true_preflight_has_one_origin_one_method_and_no_body, {
        let preflight = [(":method", "OPTIONS"), ("origin", "https://a"), ("access-control-request-method", "PUT")];
        let method = |headers: &[(&str, &str)], end_of_stream| {
            let head = Head { end_of_stream, ..head(headers) };
            Request::new(&head).unwrap().preflight_method().map(str::to_owned)
        };
        assert_eq!(method(&preflight, true).as_deref(), Some("PUT"));
        assert_eq!(method(&preflight, false), None);
        assert_eq!(method(&preflight[..2], true), None);
        let joined = [("origin", "https://a,https://b"), ("access-control-request-method", "PUT")];
        let twice = [("origin", "https://a"), ("access-control-request-method", "PUT,GET")];
        for headers in [joined, twice] {
            assert_eq!(method(&[&preflight[..1], &headers].concat(), true), None);
        }
        for extra in [("origin", "https://b"), ("content-length", "1"), ("access-control-request-method", "PUT")] {
            let mut headers = preflight.to_vec();
            headers.push(extra);
            assert_eq!(method(&headers, true), None, "{extra:?}");
        }
    });

    test!(names_fold_to_letters_digits_and_hyphens, {
        for name in ["x-user-id", "X_User_Id", "x.user-id", "x~user!id"] {
            assert_eq!(folded_name(name), "x-user-id");
        }
    });

    test!(origins_are_compared_without_default_ports, {
        let head = head(&[(":authority", "a.example:443")]);
        let request = Request::new(&head).unwrap();
        assert!(request.is_own_origin(b"https://A.example") && request.is_own_origin(b"https://a.example:443"));
        assert!(!request.is_own_origin(b"http://a.example") && !request.is_own_origin(b"null"));
    });

    test!(grpc_is_told_by_its_content_type, {
        for (value, grpc) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/grpc", false),
            ("application/grpc;a=b", false),
            ("application/grpc-web", false),
            ("application/json", false),
        ] {
            let head = head(&[("content-type", value)]);
            assert_eq!(head.is_grpc(), grpc, "{value}");
        }
    });
}
