//! A certificate is read in one way, or not at all.
#![no_main]

use gatepost::crypto::certificate::Certificate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(certificate) = Certificate::from_der(bytes) {
        let names = || certificate.uri_sans.iter().chain(&certificate.dns_sans);
        assert!(names().all(|name| name.is_ascii()));
        // Names are parts of the certificate, none made up and none told twice.
        assert!(names().map(String::len).sum::<usize>() <= bytes.len());
        // DER (X.690 §10.1): nothing may follow, and nothing may be missing.
        assert!(Certificate::from_der(&bytes[..bytes.len() - 1]).is_none());
        assert!(Certificate::from_der(&[bytes, &[0]].concat()).is_none());
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Certificate::from_pem(text);
    }
});
