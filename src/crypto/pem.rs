//! PEM blocks (RFC 7468 §2), and the public keys in them (RFC 7468 §13, RFC 5280 §4.1.2.7).

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use rsa::{
    pkcs1::RsaPublicKey,
    pkcs8::{
        AssociatedOid, ObjectIdentifier,
        der::{Decode, asn1::AnyRef},
        spki::SubjectPublicKeyInfoRef,
    },
};

use super::{Curve, Family, KeyError, PemKind, VerificationKey, ecdsa, host};

/// Why a text is not the PEM block that was asked for.
pub(super) enum PemError<'a> {
    /// It is not one block of base64.
    NotPem,
    /// The block bears another label.
    Label(&'a str),
}

/// Reads a public key.
pub(super) fn read(pem: &str) -> Result<VerificationKey, KeyError> {
    let der = content(pem, PUBLIC_KEY).map_err(|error| match error {
        PemError::NotPem => KeyError::NotPem,
        PemError::Label(label) => KeyError::WrongPem { found: kind(label) },
    })?;
    from_spki(&der)
}

/// What the one PEM block of a text holds. Text around it is tolerated (RFC 7468 §2), a second block is not.
pub(super) fn content<'a>(pem: &'a str, wanted: &str) -> Result<Vec<u8>, PemError<'a>> {
    let (_, block) = pem.split_once(BEGIN).ok_or(PemError::NotPem)?;
    let (label, block) = block.split_once(DASHES).ok_or(PemError::NotPem)?;
    if label != wanted {
        return Err(PemError::Label(label));
    }
    let (base64, rest) = block.split_once(END).ok_or(PemError::NotPem)?;
    let rest = rest.strip_prefix(wanted).and_then(|rest| rest.strip_prefix(DASHES));
    if rest.is_none_or(|rest| rest.contains(BEGIN)) {
        return Err(PemError::NotPem);
    }
    // Lines are joined whatever their length: keys travel through environments and YAML, which fold them.
    let base64: Vec<u8> = base64.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    BASE64.decode(base64).map_err(|_| PemError::NotPem)
}

fn from_spki(der: &[u8]) -> Result<VerificationKey, KeyError> {
    let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| KeyError::MalformedPublicKey)?;
    let parameters = spki.algorithm.parameters;
    let key = spki.subject_public_key.as_bytes().ok_or(KeyError::MalformedPublicKey)?;
    match spki.algorithm.oid {
        // RFC 3279 §2.3.1 asks for NULL; some encoders leave it out.
        RSA if parameters.is_none_or(AnyRef::is_null) => {
            let key = RsaPublicKey::from_der(key).map_err(|_| KeyError::MalformedPublicKey)?;
            VerificationKey::rsa(key.modulus.as_bytes(), key.public_exponent.as_bytes())
        }
        // RFC 5480 §2.1.1: the curve by name alone.
        EC => {
            let curve = parameters.ok_or(KeyError::MalformedPublicKey)?;
            let curve = curve.decode_as::<ObjectIdentifier>().map_err(|_| KeyError::UnsupportedCurve)?;
            let curve = match curve {
                P256 => Curve::P256,
                P384 => Curve::P384,
                P521 => Curve::P521,
                _ => return Err(KeyError::UnsupportedCurve),
            };
            let family = ecdsa::Key::from_sec1(curve, key).map(Family::Ec)?;
            Ok(VerificationKey { family, spki: host::ec_spki(curve, key) })
        }
        // RFC 8410 §3: parameters must be absent.
        ED25519 if parameters.is_none() => VerificationKey::ed25519(key),
        RSA | ED25519 => Err(KeyError::MalformedPublicKey),
        _ => Err(KeyError::UnsupportedKeyType),
    }
}

fn kind(label: &str) -> PemKind {
    match label {
        "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => PemKind::Certificate,
        "RSA PUBLIC KEY" => PemKind::Pkcs1PublicKey,
        _ if label.ends_with("PRIVATE KEY") => PemKind::PrivateKey,
        _ => PemKind::Other,
    }
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
const PUBLIC_KEY: &str = "PUBLIC KEY";

const RSA: ObjectIdentifier = rsa::pkcs1::ALGORITHM_OID;
pub(super) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
pub(super) const P256: ObjectIdentifier = p256::NistP256::OID;
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Algorithm;

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn every_kind_of_public_key_is_read() {
        for (pem, expected) in [
            (include_str!("../../tests/vectors/crypto/rsa2048.pem"), "VerificationKey(RSA)"),
            (include_str!("../../tests/vectors/crypto/p256.pem"), "VerificationKey(P-256)"),
            (include_str!("../../tests/vectors/crypto/p384.pem"), "VerificationKey(P-384)"),
            (include_str!("../../tests/vectors/crypto/p521.pem"), "VerificationKey(P-521)"),
            (include_str!("../../tests/vectors/crypto/ed25519.pem"), "VerificationKey(Ed25519)"),
        ] {
            assert_eq!(family(pem), expected);
            assert_eq!(family(&pem.replace('\n', "\r\n")), expected);
            assert_eq!(family(&format!("# issuer's key\n\n{}\nmore text", pem.trim())), expected);
            // One line, as an environment's variable would have it.
            assert_eq!(family(&pem.replace('\n', "")), expected);
        }
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn compressed_points_are_the_same_keys() {
        for (compressed, algorithm, signature) in [
            (
                include_str!("../../tests/vectors/crypto/p256_compressed.pem"),
                Algorithm::Es256,
                &include_bytes!("../../tests/vectors/crypto/es256.sig")[..],
            ),
            (
                include_str!("../../tests/vectors/crypto/p384_compressed.pem"),
                Algorithm::Es384,
                include_bytes!("../../tests/vectors/crypto/es384.sig"),
            ),
            (
                include_str!("../../tests/vectors/crypto/p521_compressed.pem"),
                Algorithm::Es512,
                include_bytes!("../../tests/vectors/crypto/es512.sig"),
            ),
        ] {
            let key = VerificationKey::from_public_key_pem(compressed).unwrap();
            assert!(key.verify(algorithm, b"header.payload", signature), "{algorithm}");
        }
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn keys_that_jws_or_gatepost_does_not_know_are_refused() {
        for (pem, expected) in [
            (
                include_str!("../../tests/vectors/crypto/rsa2046.pem"),
                KeyError::ModulusTooShort { bits: 2046, least: 2048 },
            ),
            (
                include_str!("../../tests/vectors/crypto/rsa_e3.pem"),
                KeyError::ExponentTooSmall { exponent: 3, least: 65537 },
            ),
            (include_str!("../../tests/vectors/crypto/rsa_pss.pem"), KeyError::UnsupportedKeyType),
            (include_str!("../../tests/vectors/crypto/ed448.pem"), KeyError::UnsupportedKeyType),
            (include_str!("../../tests/vectors/crypto/x25519.pem"), KeyError::UnsupportedKeyType),
            (include_str!("../../tests/vectors/crypto/secp256k1.pem"), KeyError::UnsupportedCurve),
            (include_str!("../../tests/vectors/crypto/p384_explicit.pem"), KeyError::UnsupportedCurve),
        ] {
            assert_eq!(read(pem).err(), Some(expected));
        }
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn other_pem_blocks_are_refused_with_what_to_give_instead() {
        let pkcs1 = include_str!("../../tests/vectors/crypto/pkcs1.pem");
        assert_eq!(read(pkcs1).err(), Some(KeyError::WrongPem { found: PemKind::Pkcs1PublicKey }));
        for (label, found) in [
            ("CERTIFICATE", PemKind::Certificate),
            ("PRIVATE KEY", PemKind::PrivateKey),
            ("RSA PRIVATE KEY", PemKind::PrivateKey),
            ("ENCRYPTED PRIVATE KEY", PemKind::PrivateKey),
            ("OPENSSH PRIVATE KEY", PemKind::PrivateKey),
            ("SSH2 PUBLIC KEY", PemKind::Other),
        ] {
            let error = read(&format!("-----BEGIN {label}-----\nc2VjcmV0\n-----END {label}-----\n")).err().unwrap();
            assert_eq!(error, KeyError::WrongPem { found });
            assert!(error.to_string().contains("give"), "{error}");
            assert!(!error.to_string().contains("c2VjcmV0"), "{error}");
        }
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn text_that_is_not_one_well_formed_block_is_refused() {
        let good = include_str!("../../tests/vectors/crypto/p256.pem");
        for pem in [
            "",
            "-----BEGIN PUBLIC KEY-----",
            "-----BEGIN PUBLIC KEY",
            "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY",
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END CERTIFICATE-----",
            "-----BEGIN PUBLIC KEY-----\nA_-*\n-----END PUBLIC KEY-----",
            &good.replace("==", "="),
            &[good, good].concat(),
            &good["-----BEGIN PUBLIC KEY-----".len()..],
        ] {
            assert_eq!(read(pem).err(), Some(KeyError::NotPem), "{pem}");
        }
        for content in ["", "AAAA", "MAA="] {
            let pem = format!("-----BEGIN PUBLIC KEY-----\n{content}\n-----END PUBLIC KEY-----");
            assert_eq!(read(&pem).err(), Some(KeyError::MalformedPublicKey), "{content}");
        }
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn der_that_is_cut_or_followed_by_more_is_refused() {
        let good = include_str!("../../tests/vectors/crypto/rsa2048.pem");
        let base64: String = good.lines().filter(|line| !line.starts_with('-')).collect();
        let der = BASE64.decode(base64).unwrap();
        assert!(from_spki(&der).is_ok());
        for length in 0..der.len() {
            assert!(from_spki(&der[..length]).is_err());
        }
        assert!(from_spki(&[&der[..], &[0]].concat()).is_err());
    }

    fn family(pem: &str) -> String {
        format!("{:?}", VerificationKey::from_public_key_pem(pem).unwrap())
    }
}
