//! ECDSA on the NIST curves (RFC 7518 §3.4).
//!
//! Signatures are R and S, each as long as the curve's order, never DER. Zero and values not below the order are refused;
//! both S and its negative are accepted, as JWS has no rule against either.
//!
//! Verification is [`curve`](super::curve)'s work, in a tenth of the time that the crates take, or less.

use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{
    Algorithm, AlgorithmSet, Curve, KeyError,
    curve::{p256::P256, p384::P384, p521::P521},
};

mod key;

/// A point on one of the curves, which is never the one at infinity.
pub(super) enum Key {
    P256(key::Key<P256, 9>),
    P384(key::Key<P384, 14>),
    P521(key::Key<P521, 19>),
}

impl Key {
    pub(super) fn from_coordinates(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        let expected = curve.coordinate_length();
        for coordinate in [x, y] {
            if coordinate.len() != expected {
                return Err(KeyError::CoordinateLength { curve, bytes: coordinate.len(), expected });
            }
        }
        Self::from_sec1(curve, &[&[key::UNCOMPRESSED], x, y].concat())
    }

    /// From an encoded point (SEC 1 §2.3.3), compressed or not, which is checked to be on the curve.
    pub(super) fn from_sec1(curve: Curve, point: &[u8]) -> Result<Self, KeyError> {
        match curve {
            Curve::P256 => key::Key::from_sec1(point).map(Self::P256),
            Curve::P384 => key::Key::from_sec1(point).map(Self::P384),
            Curve::P521 => key::Key::from_sec1(point).map(Self::P521),
        }
        .ok_or(KeyError::NotOnCurve { curve })
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
            (Algorithm::Es256, Self::P256(key)) => key.verify(&Sha256::digest(message), signature),
            (Algorithm::Es384, Self::P384(key)) => key.verify(&Sha384::digest(message), signature),
            (Algorithm::Es512, Self::P521(key)) => key.verify(&Sha512::digest(message), signature),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn zero_and_values_from_the_order_up_are_refused() {
        for (curve, key, algorithm, signature, order) in cases() {
            let verify = |r: &[u8], s: &[u8]| key.verify(algorithm, MESSAGE, &[r, s].concat());
            let (r, s) = signature.split_at(signature.len() / 2);
            assert!(verify(r, s), "{curve:?}");
            let zero = vec![0; r.len()];
            let most = vec![0xff; r.len()];
            for wrong in [&zero, &order, &most, &add(r, &order), &add(&order, &one(r.len()))] {
                assert!(!verify(wrong, s), "{curve:?}: r");
                assert!(!verify(r, wrong), "{curve:?}: s");
                assert!(!verify(wrong, wrong), "{curve:?}: both");
            }
        }
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn both_s_and_its_negative_are_accepted() {
        for (curve, key, algorithm, signature, order) in cases() {
            let (r, s) = signature.split_at(signature.len() / 2);
            let negative = subtract(&order, s);
            assert!(key.verify(algorithm, MESSAGE, &[r, &negative].concat()), "{curve:?}");
        }
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn coordinates_have_the_exact_length_and_are_a_point() {
        for (curve, ..) in cases() {
            let expected = curve.coordinate_length();
            let good = vec![1; expected];
            for bytes in [0, 1, expected - 1, expected + 1, 2 * expected] {
                let wrong = vec![1; bytes];
                for (x, y) in [(&wrong, &good), (&good, &wrong)] {
                    let error = Key::from_coordinates(curve, x, y).err();
                    assert_eq!(error, Some(KeyError::CoordinateLength { curve, bytes, expected }));
                }
            }
            let (zero, most) = (vec![0; expected], vec![0xff; expected]);
            for (x, y) in [(&zero, &zero), (&good, &good), (&most, &most), (&zero, &good)] {
                let error = Key::from_coordinates(curve, x, y).err();
                assert_eq!(error, Some(KeyError::NotOnCurve { curve }));
            }
            for point in [&[][..], &[0], &[4], &[2; 5]] {
                assert!(Key::from_sec1(curve, point).is_err());
            }
        }
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn a_coordinate_is_below_the_fields_prime() {
        // P-256 has points with x = 5: the same point with x = p + 5 must not pass as a second encoding.
        let x = [&[0; 31][..], &[5]].concat();
        let y = hex("459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc");
        assert!(Key::from_coordinates(Curve::P256, &x, &y).is_ok());
        let prime = hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
        assert!(Key::from_coordinates(Curve::P256, &add(&prime, &x), &y).is_err());
    }

    type Case = (Curve, super::super::VerificationKey, Algorithm, &'static [u8], Vec<u8>);

    fn cases() -> [Case; 3] {
        let key = |pem| super::super::VerificationKey::from_public_key_pem(pem).unwrap();
        [
            (
                Curve::P256,
                key(include_str!("../../tests/vectors/crypto/p256.pem")),
                Algorithm::Es256,
                include_bytes!("../../tests/vectors/crypto/es256.sig"),
                hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
            ),
            (
                Curve::P384,
                key(include_str!("../../tests/vectors/crypto/p384.pem")),
                Algorithm::Es384,
                include_bytes!("../../tests/vectors/crypto/es384.sig"),
                hex("ffffffffffffffffffffffffffffffffffffffffffffffff\
                     c7634d81f4372ddf581a0db248b0a77aecec196accc52973"),
            ),
            (
                Curve::P521,
                key(include_str!("../../tests/vectors/crypto/p521.pem")),
                Algorithm::Es512,
                include_bytes!("../../tests/vectors/crypto/es512.sig"),
                hex("01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa\
                     51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409"),
            ),
        ]
    }

    fn one(length: usize) -> Vec<u8> {
        let mut one = vec![0; length];
        one[length - 1] = 1;
        one
    }

    /// The sum, of which the highest carry is lost.
    fn add(a: &[u8], b: &[u8]) -> Vec<u8> {
        let mut carry = 0;
        let mut sum: Vec<u8> = (a.iter().zip(b).rev())
            .map(|(a, b)| {
                let sum = u16::from(*a) + u16::from(*b) + carry;
                carry = sum >> 8;
                sum as u8
            })
            .collect();
        sum.reverse();
        sum
    }

    fn subtract(a: &[u8], b: &[u8]) -> Vec<u8> {
        let complement: Vec<u8> = b.iter().map(|byte| !byte).collect();
        add(&add(a, &complement), &one(a.len()))
    }

    fn hex(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|place| u8::from_str_radix(&hex[place..place + 2], 16).unwrap()).collect()
    }

    const MESSAGE: &[u8] = b"header.payload";
}
