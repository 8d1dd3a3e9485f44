//! Whom a request counts for: one text for each, the same that `x-gatepost-limit-key` holds.
//!
//! | caller | text |
//! |---|---|
//! | an API key | `key:machines:ci`, its id percent-encoded |
//! | any other identity | `id:users:` and a SHA-256 in hexadecimal |
//! | an address | `ip:192.0.2.7`, `ip:2001:db8:1:2::/64`, `ip:unknown` |
//! | all callers of a route | `route:paths[3] /orders/{.+}` |
//!
//! No two callers have one text. What a token says of somebody is not readable in it: headers end in logs.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use sha2::{Digest as _, Sha256};

use crate::{auth::Identity, hex, query::percent_encoded};

/// The text of an identity; none where it has no subject, which says nothing of who calls.
#[must_use]
pub fn of_identity(identity: &Identity) -> Option<String> {
    let subject = identity.subject.as_deref()?;
    let authenticator = &identity.authenticator_name;
    if identity.method == "api_key" {
        return Some(format!("key:{authenticator}:{}", percent_encoded(subject.as_bytes())));
    }
    // The length parts the two, so that no other pair hashes to the same.
    let issuer = identity.issuer.as_deref();
    let length = issuer.map_or_else(|| "-".to_owned(), |issuer| issuer.len().to_string());
    let digest = Sha256::digest([&*length, ":", issuer.unwrap_or_default(), subject].concat());
    Some(["id:", authenticator, ":", &*hex::write(&digest)].concat())
}

/// The text of an address, from `source.address` as the host gives it. All whose address is not known are one caller: a
/// limit that one could escape by having none would be no limit.
#[must_use]
pub fn of_address(source: Option<&[u8]>) -> String {
    match source.and_then(parse) {
        Some(IpAddr::V4(address)) => format!("ip:{address}"),
        // Whoever has one has a whole /64 (RFC 6177).
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("ip:{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        None => "ip:unknown".to_owned(),
    }
}

/// The text of all callers of a route; of those that come to no route, where it is none.
#[must_use]
pub fn of_route(label: Option<&str>) -> String {
    format!("route:{}", label.unwrap_or_default())
}

/// An address with its port, or without. An IPv4-mapped one (RFC 4291 §2.5.5.2) is the IPv4 address.
fn parse(source: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(source).ok()?;
    let address = text.parse::<SocketAddr>().map(|socket| socket.ip()).or_else(|_| text.parse::<IpAddr>());
    Some(address.or_else(|_| without_zone(text).parse::<IpAddr>()).ok()?.to_canonical())
}

/// `[fe80::1%eth0]:80` without its brackets, zone (RFC 4007 §11) and port.
fn without_zone(text: &str) -> &str {
    let address = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(text, |(address, _)| address);
    address.split_once('%').map_or(address, |(address, _)| address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{auth::AuthenticatorId, json::Json, test::test};

    fn identity(method: &'static str, name: &str, issuer: Option<&str>, subject: Option<&str>) -> Identity {
        Identity {
            authenticator: AuthenticatorId(0),
            authenticator_name: name.into(),
            method,
            issuer: issuer.map(str::to_owned),
            subject: subject.map(str::to_owned),
            owner: None,
            limit: None,
            roles: Vec::new(),
            scopes: Vec::new(),
            claims: Json::Null,
        }
    }

    test!(identities_are_told_apart, {
        let text = |name, issuer, subject| of_identity(&identity("jwt", name, issuer, Some(subject))).unwrap();
        let all = [
            text("users", Some("ab"), "c"),
            text("users", Some("a"), "bc"),
            text("users", Some(""), "abc"),
            text("users", None, "abc"),
            text("users", None, ""),
            text("users", Some("1:"), "1:"),
            text("others", Some("ab"), "c"),
            of_identity(&identity("api_key", "users", None, Some("abc"))).unwrap(),
            of_identity(&identity("api_key", "users", None, Some("a b:c"))).unwrap(),
            of_identity(&identity("api_key", "users", None, Some("a%20b%3Ac"))).unwrap(),
        ];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert!(all.iter().all(|text| text.bytes().all(|byte| byte.is_ascii_graphic())), "{all:?}");
        assert_eq!(all[8], "key:users:a%20b%3Ac");
        assert_eq!(of_identity(&identity("jwt", "users", Some("a"), None)), None);
    });

    test!(a_text_can_be_worked_out_elsewhere, {
        // printf '23:https://idp.example.comuser-1' | sha256sum
        let text = of_identity(&identity("jwt", "users", Some("https://idp.example.com"), Some("user-1"))).unwrap();
        assert_eq!(text, "id:users:3bf41d8abe18e6b5b5988bf11fbca7d12d3d76a2c9b41db59203c7acec9dd416");
    });

    test!(addresses_are_one_caller_each, {
        let text = |source: &str| of_address(Some(source.as_bytes()));
        for source in
            ["192.0.2.7:1234", "192.0.2.7", "[::ffff:192.0.2.7]:1234", "::ffff:192.0.2.7", "[::ffff:c000:207]:1"]
        {
            assert_eq!(text(source), "ip:192.0.2.7", "{source}");
        }
        for source in ["[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2::", "[2001:0db8:0001:0002:ffff:ffff:ffff:ffff]:1"] {
            assert_eq!(text(source), "ip:2001:db8:1:2::/64", "{source}");
        }
        assert_eq!(text("[fe80::1%eth0]:80"), "ip:fe80::/64");
        assert_eq!(text("fe80::1%2"), "ip:fe80::/64");
        assert_eq!(text("[::1]:80"), "ip:::/64");
        for source in ["", "unknown", "/run/socket", "192.0.2.7:1:2", "192.0.2", "[::1", "a.example:80"] {
            assert_eq!(text(source), "ip:unknown", "{source}");
        }
        assert_eq!(of_address(Some(b"\xff")), "ip:unknown");
        assert_eq!(of_address(None), "ip:unknown");
    });
}
