//! Where a provider is reached: a URL, and the host's name for the servers behind it.

use std::time::Duration;

use super::{Call, CallId, MOST_ANSWER_BYTES};
use crate::request::{split_authority, split_http_url};

/// A URL of a provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The host's name for the servers: the one place that requests go to, whatever the URL says.
    pub cluster: String,
    /// `http` or `https`. Whether TLS is spoken is for the cluster to say.
    pub scheme: &'static str,
    /// `host`, or `host:port`.
    pub authority: String,
    /// The path and the query.
    pub path: String,
}

impl Endpoint {
    /// Takes a URL apart: http or https, without user and fragment. None for anything else.
    #[must_use]
    pub fn parse(url: &str, cluster: &str) -> Option<Self> {
        let (scheme, authority, path) = split_http_url(url)?;
        if !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return None;
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Some(Self { cluster: cluster.to_owned(), scheme, authority: authority.to_owned(), path })
    }

    /// Whether another URL is on the same host: scheme, name and port (RFC 9110 §4.2.3).
    #[must_use]
    pub fn is_same_host(&self, other: &Self) -> bool {
        let port = if self.scheme == "https" { 443 } else { 80 };
        let parts = |endpoint: &Self| {
            let (host, given) = split_authority(&endpoint.authority)?;
            Some((host.to_ascii_lowercase(), given.unwrap_or(port)))
        };
        self.scheme == other.scheme && parts(self) == parts(other)
    }

    /// A GET for these media types (RFC 9110 §12.5.1), and an answer of so many bytes at most.
    #[must_use]
    pub fn get(&self, id: CallId, timeout: Duration, media_types: &str, most_bytes: usize) -> Call {
        let headers = self.headers("GET", media_types, &[]);
        Call { id, cluster: self.cluster.clone(), headers, body: Vec::new(), timeout, most_bytes }
    }

    /// A POST of a form, for JSON.
    #[must_use]
    pub fn post(&self, id: CallId, timeout: Duration, authorization: &str, body: Vec<u8>) -> Call {
        let more = [("authorization", authorization), ("content-type", "application/x-www-form-urlencoded")];
        Call {
            id,
            cluster: self.cluster.clone(),
            headers: self.headers("POST", "application/json", &more),
            body,
            timeout,
            most_bytes: MOST_ANSWER_BYTES,
        }
    }

    fn headers(&self, method: &str, media_types: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let first = [
            (":method", method),
            (":scheme", self.scheme),
            (":authority", self.authority.as_str()),
            (":path", self.path.as_str()),
            ("accept", media_types),
            // Some providers turn down requests that do not say what sends them.
            ("user-agent", concat!("gatepost/", env!("CARGO_PKG_VERSION"))),
        ];
        first.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    test!(urls_are_taken_apart, {
        for (url, scheme, authority, path) in [
            ("https://idp.example.com/jwks", "https", "idp.example.com", "/jwks"),
            ("http://127.0.0.1:8080/a/b?c=d", "http", "127.0.0.1:8080", "/a/b?c=d"),
            ("https://[::1]:8443", "https", "[::1]:8443", "/"),
            ("https://idp.example.com?x=/", "https", "idp.example.com", "/?x=/"),
        ] {
            let endpoint = Endpoint::parse(url, "idp").unwrap();
            let parts = (endpoint.scheme, endpoint.authority.as_str(), endpoint.path.as_str());
            assert_eq!(parts, (scheme, authority, path), "{url}");
        }
        for url in [
            "",
            "idp.example.com/jwks",
            "ftp://idp.example.com/",
            "https:///jwks",
            "https://user@idp.example.com/",
            "https://idp.example.com/jwks#x",
            "https://idp.example.com/a b",
            "https://idp.example.com/\r\nx: y",
            "https://idp.example.com:99999/",
        ] {
            assert_eq!(Endpoint::parse(url, "idp"), None, "{url}");
        }
    });

    test!(a_host_is_a_scheme_a_name_and_a_port, {
        let same = |a: &str, b: &str| Endpoint::parse(a, "a").unwrap().is_same_host(&Endpoint::parse(b, "b").unwrap());
        assert!(same("https://idp.example.com/x", "https://IDP.example.com:443/y"));
        assert!(same("http://idp.example.com:80/x", "http://idp.example.com/"));
        for other in ["http://idp.example.com/", "https://idp.example.com:8443/", "https://idp.example.org/"] {
            assert!(!same("https://idp.example.com/", other), "{other}");
        }
    });
}
