//! Signatures that the host verifies: Envoy offers `verify_signature`, a foreign function in native code.
//!
//! Which algorithms a host really verifies is found out with signatures that are known to be good, and with bad ones, before
//! it is trusted with any. What it does not verify stays in the sandbox.

use std::borrow::Cow;

use super::{Algorithm, AlgorithmSet, Curve, VerificationKey};
use crate::host::Host;

/// Verifies signatures for a request: by the host where it offers that, else here.
pub struct Verifier<'a> {
    host: &'a mut dyn Host,
    offered: AlgorithmSet,
}

impl<'a> Verifier<'a> {
    /// A verifier that leaves `offered` to the host.
    pub fn new(host: &'a mut dyn Host, offered: AlgorithmSet) -> Self {
        Self { host, offered }
    }

    /// [`VerificationKey::verify`], by whoever is to do it.
    pub fn verify(&mut self, key: &VerificationKey, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let of_host = match self.offered.contains(algorithm) {
            true => ask(self.host, key, algorithm, message, signature),
            false => None,
        };
        of_host.unwrap_or_else(|| key.verify(algorithm, message, signature))
    }
}

/// The algorithms that the host verifies: for each it has accepted a good signature, and refused it over another message.
pub fn offered(host: &mut dyn Host) -> AlgorithmSet {
    let mut is_offered = |algorithm, pem, signature: &[u8]| {
        let Ok(key) = VerificationKey::from_public_key_pem(pem) else {
            return false; // not reached: the keys are good
        };
        let mut verdict = |message: &[u8]| ask(host, &key, algorithm, message, signature);
        verdict(b"header.payload") == Some(true) && verdict(b"header.Payload") == Some(false)
    };
    let tests = KNOWN.into_iter().filter(|(algorithm, pem, signature)| is_offered(*algorithm, pem, signature));
    tests.map(|(algorithm, ..)| algorithm).collect()
}

/// The host's verdict; none if it has none, or takes no such key.
fn ask(
    host: &mut dyn Host,
    key: &VerificationKey,
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Option<bool> {
    let (hash, curve) = match algorithm {
        Algorithm::Rs256 => ("sha256", None),
        Algorithm::Rs384 => ("sha384", None),
        Algorithm::Rs512 => ("sha512", None),
        Algorithm::Es256 => ("sha256", Some(Curve::P256)),
        Algorithm::Es384 => ("sha384", Some(Curve::P384)),
        Algorithm::Es512 => ("sha512", Some(Curve::P521)),
        _ => return None,
    };
    let spki = key.spki.as_deref().filter(|_| key.algorithms().contains(algorithm))?;
    let signature = match curve {
        Some(curve) => Cow::Owned(ecdsa_signature(signature, curve)?),
        None => Cow::Borrowed(signature),
    };
    let fields = [hash.as_bytes(), spki, &signature, message];
    let length = fields.iter().map(|field| field.len().saturating_add(MOST_FRAMING)).fold(0, usize::saturating_add);
    let mut arguments = Vec::with_capacity(length);
    for (number, field) in (1_u8..).zip(fields) {
        arguments.push(number << 3 | LENGTH_DELIMITED);
        write_varint(field.len(), &mut arguments);
        arguments.extend_from_slice(field);
    }
    read_verdict(&host.call("verify_signature", &arguments)?)
}

/// `VerifySignatureResult`: field 1 tells whether the signature is good, and is left out where it is not; field 2 why.
fn read_verdict(message: &[u8]) -> Option<bool> {
    match message {
        [0x08, verdict @ (0 | 1), rest @ ..] if matches!(rest, [] | [ERROR, ..]) => {
            Some(*verdict == 1 && rest.is_empty())
        }
        [] | [ERROR, ..] => Some(false),
        _ => None,
    }
}

/// The SubjectPublicKeyInfo of an RSA key (RFC 3279 §2.3.1), the numbers big-endian.
pub(super) fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> Box<[u8]> {
    let key = sequence(&[integer(modulus), integer(exponent)].concat());
    let bits = element(0x03, &[&[0], &key[..]].concat());
    sequence(&[RSA_ALGORITHM, &bits].concat()).into()
}

/// The SubjectPublicKeyInfo of an uncompressed point (RFC 5480 §2); none for other points.
pub(super) fn ec_spki(curve: Curve, point: &[u8]) -> Option<Box<[u8]>> {
    let algorithm: &[u8] = match curve {
        Curve::P256 => P256_ALGORITHM,
        Curve::P384 => P384_ALGORITHM,
        Curve::P521 => P521_ALGORITHM,
    };
    let bits = element(0x03, &[&[0], point].concat());
    (point.first() == Some(&4)).then(|| sequence(&[algorithm, &bits].concat()).into())
}

/// From R and S side by side (RFC 7518 §3.4) to a sequence of the two (RFC 3279 §2.2.3).
fn ecdsa_signature(signature: &[u8], curve: Curve) -> Option<Vec<u8>> {
    let length = curve.coordinate_length();
    let (r, s) = signature.split_at_checked(length).filter(|(_, s)| s.len() == length)?;
    Some(sequence(&[integer(r), integer(s)].concat()))
}

/// A number of no sign, as short as it gets.
fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let number = number.get(zeros..).unwrap_or_default();
    // A highest bit would be a sign, and zero is one byte.
    let lead: &[u8] = if number.first().is_none_or(|byte| *byte >= 0x80) { &[0] } else { &[] };
    element(0x02, &[lead, number].concat())
}

fn sequence(content: &[u8]) -> Vec<u8> {
    element(0x30, content)
}

/// A DER element (X.690 §8.1).
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut element = Vec::with_capacity(content.len().saturating_add(4));
    element.push(tag);
    match u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes() {
        [0, length @ 0..0x80] => element.push(length),
        [0, length] => element.extend([0x81, length]),
        length => element.extend([&[0x82], &length[..]].concat()),
    }
    element.extend_from_slice(content);
    element
}

/// A length in base 128, the lowest digit first.
fn write_varint(mut number: usize, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

const LENGTH_DELIMITED: u8 = 2;
/// Bytes before a field: its number, and its length.
const MOST_FRAMING: usize = 6;
/// What begins field 2.
const ERROR: u8 = 2 << 3 | LENGTH_DELIMITED;

// AlgorithmIdentifiers (RFC 3279 §2.3.1, RFC 5480 §2.1.1).
const RSA_ALGORITHM: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
const P256_ALGORITHM: &[u8] = &[
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03,
    0x01, 0x07,
];
const P384_ALGORITHM: &[u8] =
    &[0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
const P521_ALGORITHM: &[u8] =
    &[0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];

/// Signatures over `header.payload`, and the keys that made them.
const KNOWN: [(Algorithm, &str, &[u8]); 6] = [
    (Algorithm::Rs256, RSA_KEY, include_bytes!("../../tests/vectors/crypto/rs256.sig")),
    (Algorithm::Rs384, RSA_KEY, include_bytes!("../../tests/vectors/crypto/rs384.sig")),
    (Algorithm::Rs512, RSA_KEY, include_bytes!("../../tests/vectors/crypto/rs512.sig")),
    (
        Algorithm::Es256,
        include_str!("../../tests/vectors/crypto/p256.pem"),
        include_bytes!("../../tests/vectors/crypto/es256.sig"),
    ),
    (
        Algorithm::Es384,
        include_str!("../../tests/vectors/crypto/p384.pem"),
        include_bytes!("../../tests/vectors/crypto/es384.sig"),
    ),
    (
        Algorithm::Es512,
        include_str!("../../tests/vectors/crypto/p521.pem"),
        include_bytes!("../../tests/vectors/crypto/es512.sig"),
    ),
];
const RSA_KEY: &str = include_str!("../../tests/vectors/crypto/rsa2048.pem");

#[cfg(test)]
mod tests;
