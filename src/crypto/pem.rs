//! Public keys as PEM (RFC 7468 §13, RFC 5280 §4.1.2.7).

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

use super::{Curve, Family, KeyError, PemKind, ecdsa, eddsa, rsa as own_rsa};

/// Reads the one PEM block of a text. Text around it is tolerated (RFC 7468 §2), a second block is not.
pub(super) fn read(pem: &str) -> Result<Family, KeyError> {
    let (_, block) = pem.split_once(BEGIN).ok_or(KeyError::NotPem)?;
    let (label, block) = block.split_once(DASHES).ok_or(KeyError::NotPem)?;
    if label != PUBLIC_KEY {
        return Err(KeyError::WrongPem { found: kind(label) });
    }
    let (base64, rest) = block.split_once(END).ok_or(KeyError::NotPem)?;
    let rest = rest.strip_prefix(PUBLIC_KEY).and_then(|rest| rest.strip_prefix(DASHES));
    if rest.is_none_or(|rest| rest.contains(BEGIN)) {
        return Err(KeyError::NotPem);
    }
    // Lines are joined whatever their length: keys travel through environments and YAML, which fold them.
    let base64: Vec<u8> = base64.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let der = BASE64.decode(base64).map_err(|_| KeyError::NotPem)?;
    from_spki(&der)
}

fn from_spki(der: &[u8]) -> Result<Family, KeyError> {
    let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| KeyError::MalformedPublicKey)?;
    let parameters = spki.algorithm.parameters;
    let key = spki.subject_public_key.as_bytes().ok_or(KeyError::MalformedPublicKey)?;
    match spki.algorithm.oid {
        // RFC 3279 §2.3.1 asks for NULL; some encoders leave it out.
        RSA if parameters.is_none_or(AnyRef::is_null) => {
            let key = RsaPublicKey::from_der(key).map_err(|_| KeyError::MalformedPublicKey)?;
            own_rsa::Key::new(key.modulus.as_bytes(), key.public_exponent.as_bytes()).map(Family::Rsa)
        }
        // RFC 5480 §2.1.1: the curve by name alone.
        EC => {
            let curve = parameters.ok_or(KeyError::MalformedPublicKey)?;
            let curve = curve.decode_as::<ObjectIdentifier>().map_err(|_| KeyError::UnsupportedCurve)?;
            let curve = match curve {
                p256::NistP256::OID => Curve::P256,
                p384::NistP384::OID => Curve::P384,
                p521::NistP521::OID => Curve::P521,
                _ => return Err(KeyError::UnsupportedCurve),
            };
            ecdsa::Key::from_sec1(curve, key).map(Family::Ec)
        }
        // RFC 8410 §3: parameters must be absent.
        ED25519 if parameters.is_none() => eddsa::Key::new(key).map(Family::Ed25519),
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
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);
