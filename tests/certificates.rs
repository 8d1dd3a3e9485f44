//! Certificates of every shape are read as another parser reads them.
#![cfg(not(target_arch = "wasm32"))]

use gatepost::crypto::certificate::Certificate;
use proptest::{collection::vec, prelude::*};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, SanType};
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer as _, X509Certificate},
};

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn names_are_those_that_another_parser_finds(certificate in certificate()) {
        let read = Certificate::from_der(&certificate).unwrap();
        let (rest, other) = X509Certificate::from_der(&certificate).unwrap();
        prop_assert!(rest.is_empty());
        let names = other.subject_alternative_name().unwrap();
        let names = names.map(|names| names.value.general_names.clone()).unwrap_or_default();
        let uris: Vec<&str> = names.iter().filter_map(|name| match name { GeneralName::URI(uri) => Some(*uri), _ => None }).collect();
        let dns: Vec<&str> = names.iter().filter_map(|name| match name { GeneralName::DNSName(dns) => Some(*dns), _ => None }).collect();
        prop_assert_eq!(read.uri_sans, uris);
        prop_assert_eq!(read.dns_sans, dns);
    }

    // Of a certificate with some bytes changed no name is read that another parser does not read.
    #[test]
    fn of_a_broken_certificate_nothing_is_made_up(
        mut certificate in certificate(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        for (place, byte) in changes {
            *place.get_mut(&mut certificate) = byte;
        }
        if let Some(read) = Certificate::from_der(&certificate)
            && let Ok((_, other)) = X509Certificate::from_der(&certificate)
            && let Ok(names) = other.subject_alternative_name()
        {
            let names = names.map(|names| names.value.general_names.clone()).unwrap_or_default();
            for uri in &read.uri_sans {
                prop_assert!(names.iter().any(|name| matches!(name, GeneralName::URI(other) if other == uri)), "{uri}");
            }
            for dns in &read.dns_sans {
                prop_assert!(names.iter().any(|name| matches!(name, GeneralName::DNSName(other) if other == dns)), "{dns}");
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(Certificate::from_der(&bytes), None);
    }
}

/// Certificates with names of all kinds, with and without other extensions, in DER.
fn certificate() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![
        "[a-z]{2,6}://[!-~]{0,40}".prop_map(|uri| SanType::URI(uri.try_into().unwrap())),
        "[a-zA-Z0-9*.-]{0,30}".prop_map(|dns| SanType::DnsName(dns.try_into().unwrap())),
        "[a-z]{1,5}@[a-z]{1,5}".prop_map(|mail| SanType::Rfc822Name(mail.try_into().unwrap())),
        any::<std::net::IpAddr>().prop_map(SanType::IpAddress),
        ("[a-z]{1,9}").prop_map(|text| SanType::OtherName((vec![1, 3, 6, 1], text.as_str().into()))),
    ];
    (vec(name, 0..6), "[a-zA-Z ,+\\\\äß]{0,20}", any::<bool>(), any::<bool>()).prop_map(
        |(names, subject, usage, own)| {
            let mut params = CertificateParams::default();
            params.subject_alt_names = names;
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, subject);
            if usage {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }
            if own {
                let content = b"\x30\x0d\x86\x0bspiffe://no".to_vec();
                params.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1], content)];
            }
            let key = KeyPair::generate().unwrap();
            params.self_signed(&key).unwrap().der().to_vec()
        },
    )
}
