//! EdDSA on Ed25519 (RFC 8032, RFC 8037 §3.1).

use ed25519_dalek::VerifyingKey;
use jwt_compact::alg::Ed25519;

use super::{Algorithm, AlgorithmSet, KeyError, verify_fixed_length};

/// An Ed25519 public key that is not of small order.
pub(super) struct Key(VerifyingKey);

impl Key {
    pub(super) fn new(x: &[u8]) -> Result<Self, KeyError> {
        let x = <&[u8; 32]>::try_from(x).map_err(|_| KeyError::Ed25519Length { bytes: x.len() })?;
        let key = VerifyingKey::from_bytes(x).map_err(|_| KeyError::NotOnEdwards25519)?;
        if key.is_weak() {
            return Err(KeyError::SmallOrder);
        }
        // RFC 8032 §5.1.3 step 1: y >= p is no encoding, which dalek's decompression lets pass.
        if key.to_edwards().compress().as_bytes() != x {
            return Err(KeyError::NotOnEdwards25519);
        }
        Ok(Self(key))
    }

    /// dalek refuses S >= L (RFC 8032 §5.1.7 step 1), and compares R's bytes, so that R >= p is refused as well.
    pub(super) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        algorithm == Algorithm::EdDsa && verify_fixed_length(&Ed25519, &self.0, message, signature)
    }
}

/// What an Ed25519 key can verify.
pub(super) const ALGORITHMS: AlgorithmSet = AlgorithmSet::of(&[Algorithm::EdDsa]);
