//! ECDSA on P-256 with SHA-256 (FIPS 186-5 §6.4.2), verification alone.

use p256::{Scalar, ecdsa::VerifyingKey, elliptic_curve::ops::Reduce};
use sha2::{Digest, Sha256};

use crate::crypto::curve::{
    Multiplier,
    p256::{Affine, P256, generator, inverse_modulo_order, is_scalar},
    words::{Words, from_big_endian, to_big_endian},
};

/// A point of P-256, which is never the one at infinity.
pub(in crate::crypto) struct Key(Multiplier<P256>);

impl Key {
    /// From an encoded point (SEC 1 §2.3.3), compressed or not. None unless it is on the curve.
    pub(super) fn from_sec1(point: &[u8]) -> Option<Self> {
        let point = VerifyingKey::from_sec1_bytes(point).ok()?.to_encoded_point(false);
        let (_, coordinates) = point.as_bytes().split_first()?;
        let ([x, y], []) = coordinates.as_chunks::<32>() else {
            return None;
        };
        Some(Self(Multiplier::new(Affine::from_coordinates(&from_big_endian(x), &from_big_endian(y)))))
    }

    /// `signature` is R and S, 32 bytes each.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let ([r, s], []) = signature.as_chunks::<32>() else {
            return false;
        };
        let (r, s) = (from_big_endian(r), from_big_endian(s));
        if !is_scalar(&r) || !is_scalar(&s) {
            return false;
        }
        let inverse = to_scalar(&inverse_modulo_order(&s));
        let hash = Scalar::reduce_bytes(&Sha256::digest(message));
        let [u1, u2] =
            [hash, to_scalar(&r)].map(|factor| from_big_endian(&factor.multiply(&inverse).to_bytes().into()));
        self.0.sum_of_multiples(&u2, generator(), &u1).has_x(&r)
    }
}

/// The leftmost bits of a hash, or a scalar, are reduced by the order, below which a scalar is.
fn to_scalar(words: &Words) -> Scalar {
    Scalar::reduce_bytes(&to_big_endian(words).into())
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::{
        Signature, SigningKey,
        signature::{Signer as _, Verifier as _},
    };

    use super::*;
    use crate::test::test;

    test!(verdicts_are_those_of_the_p256_crate_before_and_after_the_table, {
        for number in 0..12_u8 {
            let signing = SigningKey::from_slice(&Sha256::digest([number])).unwrap();
            let crates = *signing.verifying_key();
            let own = Key::from_sec1(crates.to_encoded_point(number % 2 == 0).as_bytes()).unwrap();
            let mut good = 0;
            for round in 0..24_u8 {
                let message = [number, round];
                let signature: Signature = signing.sign(&message);
                let mut signature = signature.to_bytes();
                match round % 4 {
                    1 => signature[usize::from(round) * 2] ^= 1 << (round % 8),
                    2 => signature[..32].copy_from_slice(&Sha256::digest(message)),
                    3 => {
                        // The negative of S is as good.
                        let negative = -*Signature::from_bytes(&signature).unwrap().s();
                        signature[32..].copy_from_slice(&negative.to_bytes());
                    }
                    _ => (),
                }
                for message in [&message[..], b"another"] {
                    let expected = Signature::from_slice(&signature)
                        .is_ok_and(|signature| crates.verify(message, &signature).is_ok());
                    assert_eq!(own.verify(message, &signature), expected, "{number} {round}");
                    good += u8::from(expected);
                }
            }
            assert_eq!(good, 12);
        }
    });

    test!(r_and_s_of_any_bytes_get_the_crates_verdict, {
        let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
        let order: Vec<u8> = (0..32).map(|place| u8::from_str_radix(&order[2 * place..][..2], 16).unwrap()).collect();
        let near = |distance: i16| {
            let mut number = order.clone();
            number[31] = (i16::from(number[31]) + distance) as u8;
            number
        };
        let small = |number: u8| [&[0; 31][..], &[number]].concat();
        let numbers =
            [small(0), small(1), small(2), near(-1), near(0), near(1), near(77), vec![0xff; 32], vec![0x7f; 32]];
        for scalar in [1, 2, 3] {
            let signing = SigningKey::from_slice(&small(scalar)).unwrap();
            let own = Key::from_sec1(signing.verifying_key().to_encoded_point(false).as_bytes()).unwrap();
            for r in &numbers {
                for s in &numbers {
                    let signature = [&r[..], s].concat();
                    let expected = Signature::from_slice(&signature)
                        .is_ok_and(|signature| signing.verifying_key().verify(b"message", &signature).is_ok());
                    assert_eq!(own.verify(b"message", &signature), expected, "{r:x?} {s:x?}");
                }
            }
        }
    });
}
