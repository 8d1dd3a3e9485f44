//! ECDSA on the NIST curves (RFC 7518 §3.4).
//!
//! Signatures are R and S, each as long as the curve's order, never DER. The crates refuse zero and values not below
//! the order; both S and its negative are accepted, as JWS has no rule against either.

use std::borrow::Cow;

use core::{convert::Infallible, num::NonZeroUsize};

use jwt_compact::{AlgorithmSignature, alg::Es256};
use p256::ecdsa::signature::{DigestVerifier, Verifier};
use sha2::{Digest, Sha384};

use super::{Algorithm, AlgorithmSet, Curve, KeyError, verify_fixed_length};

/// A point on one of the curves, which is never the one at infinity.
pub(super) enum Key {
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
}

impl Key {
    pub(super) fn from_coordinates(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        let expected = curve.coordinate_length();
        for coordinate in [x, y] {
            if coordinate.len() != expected {
                return Err(KeyError::CoordinateLength { curve, bytes: coordinate.len(), expected });
            }
        }
        Self::from_sec1(curve, &[&[UNCOMPRESSED], x, y].concat())
    }

    /// From an encoded point (SEC 1 §2.3.3), compressed or not, which is checked to be on the curve.
    pub(super) fn from_sec1(curve: Curve, point: &[u8]) -> Result<Self, KeyError> {
        match curve {
            Curve::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map(Self::P256),
            Curve::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(point).map(Self::P384),
            Curve::P521 => p521::ecdsa::VerifyingKey::from_sec1_bytes(point).map(Self::P521),
        }
        .map_err(|_| KeyError::NotOnCurve { curve })
    }

    pub(super) fn curve(&self) -> Curve {
        match self {
            Self::P256(_) => Curve::P256,
            Self::P384(_) => Curve::P384,
            Self::P521(_) => Curve::P521,
        }
    }

    pub(super) fn algorithms(&self) -> AlgorithmSet {
        AlgorithmSet::of(match self {
            Self::P256(_) => &[Algorithm::Es256],
            Self::P384(_) => &[Algorithm::Es384],
            Self::P521(_) => &[Algorithm::Es512],
        })
    }

    pub(super) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (algorithm, self) {
            (Algorithm::Es256, Self::P256(key)) => verify_fixed_length(&Es256, key, message, signature),
            (Algorithm::Es384, Self::P384(key)) => verify_fixed_length(&Es384, key, message, signature),
            (Algorithm::Es512, Self::P521(key)) => verify_fixed_length(&Es512, key, message, signature),
            _ => false,
        }
    }
}

/// ECDSA on P-384 with SHA-384, which jwt-compact lacks.
struct Es384;

impl jwt_compact::Algorithm for Es384 {
    /// There is none: gatepost signs nothing with it.
    type SigningKey = Infallible;
    type VerifyingKey = p384::ecdsa::VerifyingKey;
    type Signature = Es384Signature;

    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(Algorithm::Es384.name())
    }

    fn sign(&self, signing_key: &Infallible, _: &[u8]) -> Es384Signature {
        match *signing_key {}
    }

    fn verify_signature(&self, signature: &Es384Signature, key: &Self::VerifyingKey, message: &[u8]) -> bool {
        key.verify_digest(Sha384::new_with_prefix(message), &signature.0).is_ok()
    }
}

struct Es384Signature(p384::ecdsa::Signature);

impl AlgorithmSignature for Es384Signature {
    const LENGTH: Option<NonZeroUsize> = NonZeroUsize::new(96);

    fn try_from_slice(bytes: &[u8]) -> anyhow::Result<Self> {
        p384::ecdsa::Signature::from_slice(bytes).map(Self).map_err(anyhow::Error::msg)
    }

    fn as_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.0.to_bytes().to_vec())
    }
}

/// ECDSA on P-521 with SHA-512, which jwt-compact lacks.
struct Es512;

impl jwt_compact::Algorithm for Es512 {
    /// There is none: gatepost signs nothing with it.
    type SigningKey = Infallible;
    type VerifyingKey = p521::ecdsa::VerifyingKey;
    type Signature = Es512Signature;

    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(Algorithm::Es512.name())
    }

    fn sign(&self, signing_key: &Infallible, _: &[u8]) -> Es512Signature {
        match *signing_key {}
    }

    fn verify_signature(&self, signature: &Es512Signature, key: &Self::VerifyingKey, message: &[u8]) -> bool {
        // p521's `Verifier` hashes with SHA-512.
        key.verify(message, &signature.0).is_ok()
    }
}

struct Es512Signature(p521::ecdsa::Signature);

impl AlgorithmSignature for Es512Signature {
    /// 521 bits are 66 bytes, twice.
    const LENGTH: Option<NonZeroUsize> = NonZeroUsize::new(132);

    fn try_from_slice(bytes: &[u8]) -> anyhow::Result<Self> {
        p521::ecdsa::Signature::from_slice(bytes).map(Self).map_err(anyhow::Error::msg)
    }

    fn as_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.0.to_bytes().to_vec())
    }
}

/// The tag of a point with both coordinates (SEC 1 §2.3.3).
const UNCOMPRESSED: u8 = 4;
