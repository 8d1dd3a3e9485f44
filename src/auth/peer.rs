//! The client's certificate, as the host tells of it in the properties of the connection. No header says anything about it:
//! whoever can send one could send any.

use crate::{crypto::certificate::Certificate, deny::Reason, hex, host::Host};

/// What is known of a client's certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerCertificate {
    /// URIs: all of them, or the first one where the host does not offer the certificate itself.
    pub uri_sans: Vec<String>,
    /// DNS names, likewise.
    pub dns_sans: Vec<String>,
    /// The subject, as the host writes it.
    pub subject: Option<String>,
    /// SHA-256 of its DER.
    pub digest: Option<[u8; 32]>,
}

impl PeerCertificate {
    /// Asks the host for everything.
    pub fn read(host: &mut dyn Host) -> Self {
        let subject = text(host, "subject_peer_certificate", is_printable);
        match certificate(host) {
            Some(Certificate { digest, uri_sans, dns_sans }) => {
                let names = |names: Vec<String>| names.into_iter().filter(|name| is_name(name)).collect();
                Self { uri_sans: names(uri_sans), dns_sans: names(dns_sans), subject, digest: Some(digest) }
            }
            None => {
                let mut san = |property| text(host, property, is_name).into_iter().collect();
                let (uri_sans, dns_sans) = (san("uri_san_peer_certificate"), san("dns_san_peer_certificate"));
                Self { uri_sans, dns_sans, subject, digest: told_digest(host) }
            }
        }
    }
}

/// Checks that the client has shown a certificate, and that the host has validated it. Where it cannot tell, a listener
/// that validates makes up for it.
///
/// # Errors
///
/// The [`Reason`] why the certificate, if there is one, says nothing.
pub fn check_validated(host: &mut dyn Host, listener_validates: bool) -> Result<(), Reason> {
    // Envoy 1.39 and later have it. False is also what it says of a resumed session.
    let valid = host.property(&["connection", "peer_certificate_valid"]);
    match valid.as_deref() {
        Some(TRUE) => Ok(()),
        _ if !has_certificate(host) => Err(Reason::NoClientCertificate),
        None if listener_validates => Ok(()),
        None => Err(Reason::ValidationUnknown),
        Some(_) => Err(Reason::UnvalidatedCertificate),
    }
}

/// Whether the client has shown a certificate, a good or a bad one.
pub fn has_certificate(host: &mut dyn Host) -> bool {
    host.property(&["connection", "mtls"]).as_deref() == Some(TRUE)
}

/// The SHA-256 of the client's certificate, where it has shown one and the host tells.
pub fn digest(host: &mut dyn Host) -> Option<[u8; 32]> {
    told_digest(host).or_else(|| Some(certificate(host)?.digest))
}

/// The SHA-256 that the host tells without our help.
pub(super) fn told_digest(host: &mut dyn Host) -> Option<[u8; 32]> {
    hex::read(&host.property(&["connection", "sha256_peer_certificate_digest"])?)
}

/// Envoy 1.38 and later offer it.
fn certificate(host: &mut dyn Host) -> Option<Certificate> {
    let pem = host.property(&["connection", "peer_certificate"])?;
    Certificate::from_pem(std::str::from_utf8(&pem).ok()?)
}

fn text(host: &mut dyn Host, property: &str, good: fn(&str) -> bool) -> Option<String> {
    String::from_utf8(host.property(&["connection", property])?).ok().filter(|text| good(text))
}

/// RFC 5280 §4.2.1.6: URIs and DNS names are IA5 strings; none holds a blank or a control character.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_printable(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_control)
}

/// What Envoy makes of a boolean: one byte.
const TRUE: &[u8] = &[1];

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        host::{NoHost, Store, Unavailable},
        test::test,
    };

    /// A host with properties of a connection.
    pub(crate) struct Connection {
        properties: Vec<(String, Vec<u8>)>,
        pub(crate) asked: usize,
    }

    impl Connection {
        pub(crate) fn new(properties: &[(&str, &[u8])]) -> Self {
            let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec()));
            Self { properties: properties.collect(), asked: 0 }
        }
    }

    impl Host for Connection {
        fn property(&mut self, path: &[&str]) -> Option<Vec<u8>> {
            self.asked += 1;
            let [connection, name] = path else { panic!("{path:?}") };
            assert_eq!(*connection, "connection");
            self.properties.iter().find(|(property, _)| property == name).map(|(_, value)| value.clone())
        }
    }

    impl Store for Connection {
        fn get(&mut self, slot: &str) -> Result<Option<(Vec<u8>, u32)>, Unavailable> {
            NoHost.get(slot)
        }

        fn set(&mut self, slot: &str, value: &[u8], expected: u32) -> Result<bool, Unavailable> {
            NoHost.set(slot, value, expected)
        }
    }

    test!(only_a_certificate_that_the_host_has_validated_counts, {
        let valid = "peer_certificate_valid";
        for (properties, listener_validates, expected) in [
            (&[(valid, &[1][..]), ("mtls", &[1])][..], false, Ok(())),
            (&[(valid, &[0]), ("mtls", &[1])], false, Err(Reason::UnvalidatedCertificate)),
            // A host that can tell is believed more than the configuration.
            (&[(valid, &[0]), ("mtls", &[1])], true, Err(Reason::UnvalidatedCertificate)),
            (&[(valid, b"true"), ("mtls", &[1])], true, Err(Reason::UnvalidatedCertificate)),
            (&[(valid, &[]), ("mtls", &[1])], true, Err(Reason::UnvalidatedCertificate)),
            (&[("mtls", &[1])], true, Ok(())),
            (&[("mtls", &[1])], false, Err(Reason::ValidationUnknown)),
            (&[("mtls", &[0])], true, Err(Reason::NoClientCertificate)),
            (&[("mtls", b"1")], true, Err(Reason::NoClientCertificate)),
            (&[(valid, &[0]), ("mtls", &[0])], true, Err(Reason::NoClientCertificate)),
            (&[], true, Err(Reason::NoClientCertificate)),
        ] {
            let verdict = check_validated(&mut Connection::new(properties), listener_validates);
            assert_eq!(verdict, expected, "{properties:?} {listener_validates}");
        }
    });

    test!(without_the_certificate_the_first_names_are_known, {
        let mut host = Connection::new(&[
            ("uri_san_peer_certificate", b"spiffe://a/b,c"),
            ("dns_san_peer_certificate", b"a b"),
            ("subject_peer_certificate", b"CN=a b"),
            ("sha256_peer_certificate_digest", "0f".repeat(32).as_bytes()),
            ("peer_certificate", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"),
        ]);
        let certificate = PeerCertificate::read(&mut host);
        assert_eq!(certificate.uri_sans, ["spiffe://a/b,c"]);
        assert!(certificate.dns_sans.is_empty());
        assert_eq!(certificate.subject.as_deref(), Some("CN=a b"));
        assert_eq!(certificate.digest, Some([15; 32]));
    });
}
