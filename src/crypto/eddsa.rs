//! EdDSA on Ed25519 (RFC 8032, RFC 8037 §3.1).

use core::ops::Add as _;

use curve25519_dalek::{Scalar, edwards::CompressedEdwardsY};
use ed25519_dalek::VerifyingKey;
use sha2::{Digest, Sha512};

use super::{
    Algorithm, AlgorithmSet, KeyError,
    curve::{
        Multiplier,
        edwards25519::{Affine, Edwards25519, base_point, is_canonical},
        words::from_little_endian,
    },
};

/// An Ed25519 public key that is not of small order.
pub(super) struct Key {
    encoded: [u8; 32],
    /// Of the key's negative.
    multiplier: Multiplier<Edwards25519, 9>,
}

impl Key {
    pub(super) fn new(x: &[u8]) -> Result<Self, KeyError> {
        let encoded = <[u8; 32]>::try_from(x).map_err(|_| KeyError::Ed25519Length { bytes: x.len() })?;
        let key = VerifyingKey::from_bytes(&encoded).map_err(|_| KeyError::NotOnEdwards25519)?;
        if key.is_weak() {
            return Err(KeyError::SmallOrder);
        }
        // dalek's decompression lets them pass.
        if !is_canonical(&encoded) {
            return Err(KeyError::NotOnEdwards25519);
        }
        // y = 0 encodes a point of order 4.
        let order_4 = CompressedEdwardsY([0; 32]).decompress().ok_or(KeyError::NotOnEdwards25519)?;
        let with_order_4 = key.to_edwards().add(order_4).compress().to_bytes();
        Ok(Self { encoded, multiplier: Multiplier::new(Affine::negative(&encoded, &with_order_4)) })
    }

    /// RFC 8032 §5.1.7, without the cofactor, and as dalek's `verify` does it: R's bytes are compared, so that R >= p is
    /// refused, and no R is refused for its order.
    #[inline(never)]
    pub(super) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let ([r, s], []) = signature.as_chunks::<32>() else {
            return false;
        };
        // Step 1: S >= L is refused.
        let (Algorithm::EdDsa, Some(s)) = (algorithm, Option::<Scalar>::from(Scalar::from_canonical_bytes(*s))) else {
            return false;
        };
        let mut hash = Sha512::new();
        for part in [r, &self.encoded, message] {
            hash.update(part);
        }
        let [k, s] = [Scalar::from_hash(hash), s].map(|scalar| from_little_endian(&scalar.to_bytes()));
        self.multiplier.sum_of_multiples(&k, base_point(), &s).encoded() == *r
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

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn verdicts_are_those_of_dalek_before_and_after_the_table() {
        use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT as BASE, EIGHT_TORSION};
        use ed25519_dalek::{Signature, Verifier as _};

        let scalar = |seed: &[u8]| Scalar::hash_from_bytes::<Sha512>(seed);
        for number in 0..16_u8 {
            let secret = scalar(&[number]);
            // Half of the keys are of mixed order, which dalek takes.
            let torsion = EIGHT_TORSION[usize::from(number / 2)];
            let encoded = (BASE * secret + torsion).compress().to_bytes();
            let crates = VerifyingKey::from_bytes(&encoded).unwrap();
            let own = Key::new(&encoded).unwrap();
            let mut good = 0;
            for round in 0..40_u8 {
                let nonce = scalar(&[number, round]);
                let r = (BASE * nonce + EIGHT_TORSION[usize::from(round % 8)]).compress().to_bytes();
                let hash = Sha512::new().chain_update(r).chain_update(encoded).chain_update([round]);
                let s = nonce + Scalar::from_hash(hash) * secret;
                let mut signature = [r, s.to_bytes()].concat();
                if round % 5 == 4 {
                    signature[usize::from(round)] ^= 1 << (round % 8);
                }
                let expected = crates.verify(&[round], &Signature::from_slice(&signature).unwrap()).is_ok();
                assert_eq!(own.verify(Algorithm::EdDsa, &[round], &signature), expected, "{number} {round}");
                assert!(!own.verify(Algorithm::Es256, &[round], &signature));
                good += u8::from(expected);
            }
            assert!(good > 0, "{number}");
        }
        // R of small order and S = 0 are good where k times the key is R's negative: never here, as there.
        for torsion in EIGHT_TORSION {
            let encoded = BASE.compress().to_bytes();
            let (crates, own) = (VerifyingKey::from_bytes(&encoded).unwrap(), Key::new(&encoded).unwrap());
            let signature = [torsion.compress().to_bytes(), [0; 32]].concat();
            let expected = crates.verify(b"message", &Signature::from_slice(&signature).unwrap()).is_ok();
            assert_eq!(own.verify(Algorithm::EdDsa, b"message", &signature), expected);
        }
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|place| u8::from_str_radix(&hex[place..place + 2], 16).unwrap()).collect()
    }
}
