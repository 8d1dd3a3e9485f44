//! X.509 certificates (RFC 5280), as far as their alternative names and their fingerprint. Nothing is verified here: whoever
//! offers the certificate has done so, or it is worth nothing.

use rsa::pkcs8::{
    ObjectIdentifier,
    der::{
        Decode as _, Reader as _, SliceReader, Tag, TagNumber, Tagged as _,
        asn1::{AnyRef, OctetStringRef},
    },
};
use sha2::{Digest as _, Sha256};

use super::pem;

/// What a certificate says about its subject's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of its DER.
    pub digest: [u8; 32],
    /// The URIs of its alternative names, in order.
    pub uri_sans: Vec<String>,
    /// The DNS names of its alternative names, in order.
    pub dns_sans: Vec<String>,
}

impl Certificate {
    /// Reads a text with one certificate (RFC 7468 §5). None if it is anything else.
    #[must_use]
    pub fn from_pem(pem: &str) -> Option<Self> {
        Self::from_der(&pem::content(pem, "CERTIFICATE").ok()?)
    }

    /// Reads a certificate in DER.
    #[must_use]
    pub fn from_der(der: &[u8]) -> Option<Self> {
        let mut certificate = Self { digest: Sha256::digest(der).into(), uri_sans: Vec::new(), dns_sans: Vec::new() };
        // RFC 5280 §4.1: what is signed, the algorithm, the signature.
        let parts = items(AnyRef::from_der(der).ok()?, Tag::Sequence)?;
        let [signed, _, _] = parts.as_slice() else {
            return None;
        };
        let fields = items(*signed, Tag::Sequence)?;
        let mut extensions = fields.iter().filter(|field| field.tag() == EXTENSIONS);
        match (extensions.next(), extensions.next()) {
            (None, _) => {}
            (Some(extensions), None) => certificate.read_extensions(*extensions)?,
            (Some(_), Some(_)) => return None,
        }
        Some(certificate)
    }

    fn read_extensions(&mut self, explicit: AnyRef<'_>) -> Option<()> {
        let extensions = AnyRef::from_der(explicit.value()).ok()?;
        let mut is_known = false;
        for extension in items(extensions, Tag::Sequence)? {
            // RFC 5280 §4.1: the identifier, whether it is critical if it is, the value.
            let parts = items(extension, Tag::Sequence)?;
            let (id, value) = match parts.as_slice() {
                [id, value] => (id, value),
                [id, critical, value] if critical.tag() == Tag::Boolean => (id, value),
                _ => return None,
            };
            if id.decode_as::<ObjectIdentifier>().ok()? != SUBJECT_ALT_NAME {
                continue;
            }
            // RFC 5280 §4.2: no extension comes twice.
            if std::mem::replace(&mut is_known, true) {
                return None;
            }
            let value = value.decode_as::<OctetStringRef<'_>>().ok()?;
            self.read_names(AnyRef::from_der(value.as_bytes()).ok()?)?;
        }
        Some(())
    }

    /// RFC 5280 §4.2.1.6. Other kinds of names are of no concern here.
    fn read_names(&mut self, names: AnyRef<'_>) -> Option<()> {
        for name in items(names, Tag::Sequence)? {
            let names = match name.tag() {
                DNS_NAME => &mut self.dns_sans,
                URI => &mut self.uri_sans,
                _ => continue,
            };
            let text = std::str::from_utf8(name.value()).ok().filter(|text| text.is_ascii())?;
            names.push(text.to_owned());
        }
        Some(())
    }
}

/// What a constructed value of this type holds.
fn items<'a>(value: AnyRef<'a>, tag: Tag) -> Option<Vec<AnyRef<'a>>> {
    if value.tag() != tag {
        return None;
    }
    let mut reader = SliceReader::new(value.value()).ok()?;
    let mut items = Vec::new();
    while !reader.is_finished() {
        items.push(reader.decode().ok()?);
    }
    Some(items)
}

const EXTENSIONS: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber::N3 };
const DNS_NAME: Tag = Tag::ContextSpecific { constructed: false, number: TagNumber::N2 };
const URI: Tag = Tag::ContextSpecific { constructed: false, number: TagNumber::N6 };
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    const PEM: &str = include_str!("../../tests/vectors/certificates/several_names.pem");

    test!(all_names_of_a_certificate_are_read, {
        let certificate = Certificate::from_pem(PEM).unwrap();
        let uris = ["spiffe://cluster.local/ns/prod/sa/a", "spiffe://cluster.local/ns/prod/sa/b"];
        assert_eq!(certificate.uri_sans, uris);
        assert_eq!(certificate.dns_sans, ["a.example.com", "b.example.com"]);
        // As `openssl x509 -outform der | sha256sum` has it.
        let digest: String = certificate.digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, DIGEST);
    });

    test!(what_is_no_certificate_or_more_than_one_is_not_read, {
        let der = pem::content(PEM, "CERTIFICATE").ok().unwrap();
        assert!(Certificate::from_der(&der).is_some());
        for length in 0..der.len() {
            assert_eq!(Certificate::from_der(&der[..length]), None, "{length}");
        }
        assert_eq!(Certificate::from_der(&[&der[..], &[0]].concat()), None);
        assert_eq!(Certificate::from_pem(&[PEM, PEM].concat()), None);
        assert_eq!(Certificate::from_pem(&PEM.replace("CERTIFICATE", "PUBLIC KEY")), None);
    });

    test!(names_that_come_twice_or_are_no_ascii_are_no_names, {
        let der = pem::content(PEM, "CERTIFICATE").ok().unwrap();
        let uri = der.windows(6).position(|window| window == b"spiffe").unwrap();
        let mut odd = der.clone();
        odd[uri] = 0xe4;
        assert_eq!(Certificate::from_der(&odd), None);
        // The identifier of the extended key usage, 2.5.29.37, becomes that of the alternative names, 2.5.29.17.
        let usage = der.windows(5).position(|window| window == [0x06, 0x03, 0x55, 0x1d, 0x25]).unwrap();
        let mut twice = der;
        twice[usage + 4] = 0x11;
        assert_eq!(Certificate::from_der(&twice), None);
    });

    const DIGEST: &str = "44bdd32e5e4a465ecb5f79e497b5ac09cc9beca5a14b046f55b6f9b2f6b6a92c";
}
