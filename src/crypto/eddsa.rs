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

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn points_of_small_order_are_refused() {
        // Orders 1, 2, 4, 4, 8 (the other three of order 8 are its negative and their mirror images).
        for hex in [
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        ] {
            assert_eq!(Key::new(&bytes(hex)).err(), Some(KeyError::SmallOrder), "{hex}");
        }
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn encodings_of_no_point_and_second_encodings_are_refused() {
        let mut not_on_the_curve = [0; 32];
        not_on_the_curve[0] = 2;
        assert_eq!(Key::new(&not_on_the_curve).err(), Some(KeyError::NotOnEdwards25519));
        // y = p + 3, which stands for y = 3, a point; y = p and y = p + 1 have small order.
        let canonical = bytes("0300000000000000000000000000000000000000000000000000000000000000");
        assert!(Key::new(&canonical).is_ok());
        let second = bytes("f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
        assert_eq!(Key::new(&second).err(), Some(KeyError::NotOnEdwards25519));
        for bytes in [0, 31, 33, 64] {
            assert_eq!(Key::new(&vec![3; bytes]).err(), Some(KeyError::Ed25519Length { bytes }));
        }
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn a_scalar_raised_by_the_group_order_is_refused() {
        let pem = include_str!("../../tests/vectors/crypto/ed25519.pem");
        let key = super::super::VerificationKey::from_public_key_pem(pem).unwrap();
        let mut signature = *include_bytes!("../../tests/vectors/crypto/eddsa.sig");
        assert!(key.verify(Algorithm::EdDsa, b"header.payload", &signature));
        let order = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        let mut carry = 0;
        for (byte, other) in signature[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(other) + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
        assert!(!key.verify(Algorithm::EdDsa, b"header.payload", &signature));
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|place| u8::from_str_radix(&hex[place..place + 2], 16).unwrap()).collect()
    }
}
