use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::*;
use crate::crypto::curve::{p256::P256, p384::P384, p521::P521};

/// What holds on a curve, compared with its crate.
macro_rules! tests_of {
    ($module:ident, $reference:ident, $curve:ty, $n:literal, $hash:ty) => {
        mod $module {
            #[cfg(not(target_arch = "wasm32"))]
            use proptest::prelude::*;

            use ::$reference::{
                FieldBytes, ProjectivePoint, Scalar,
                elliptic_curve::{PrimeField as _, sec1::ToEncodedPoint as _},
                ecdsa::{
                    Signature, SigningKey, VerifyingKey,
                    signature::Verifier as _,
                },
            };

            use super::*;
            use crate::test::test;

            type Own = Key<$curve, $n>;

            test!(verdicts_are_those_of_the_crate_before_and_after_the_table, {
                for number in 0..6_u8 {
                    let signing = SigningKey::from_slice(&bytes(&[number])).unwrap();
                    let reference = VerifyingKey::from(&signing);
                    let own = Own::from_sec1(reference.to_encoded_point(number % 2 == 0).as_bytes()).unwrap();
                    let mut good = 0;
                    for round in 0..16_u8 {
                        let message = [number, round];
                        let mut signature = signed(&signing, &message);
                        match round % 4 {
                            1 => signature[usize::from(round) * 4] ^= 1 << (round % 8),
                            2 => signature[..LENGTH].copy_from_slice(&bytes(&message)),
                            3 => {
                                // The negative of S is as good.
                                let negative = -scalar(&signature[LENGTH..]);
                                signature[LENGTH..].copy_from_slice(&negative.to_repr());
                            }
                            _ => (),
                        }
                        for message in [&message[..], b"another"] {
                            good += u8::from(agreed(&own, &reference, message, &signature));
                        }
                    }
                    assert_eq!(good, 8);
                }
            });

            test!(r_and_s_of_any_bytes_get_the_crates_verdict, {
                let order = (-Scalar::from(1_u64)).to_repr();
                let near = |distance: i16| {
                    let mut number = order.to_vec();
                    number[LENGTH - 1] = (i16::from(number[LENGTH - 1]) + 1 + distance) as u8;
                    number
                };
                let small = |number: u8| [&[0; LENGTH - 1][..], &[number]].concat();
                let numbers = [
                    small(0),
                    small(1),
                    small(2),
                    near(-1),
                    near(0),
                    near(1),
                    near(77),
                    vec![0xff; LENGTH],
                    vec![0x7f; LENGTH],
                ];
                for scalar in [1, 2, 3] {
                    let reference = VerifyingKey::from(&SigningKey::from_slice(&small(scalar)).unwrap());
                    let own = Own::from_sec1(reference.to_encoded_point(false).as_bytes()).unwrap();
                    for r in &numbers {
                        for s in &numbers {
                            agreed(&own, &reference, b"message", &[&r[..], s].concat());
                        }
                    }
                }
            });

            test!(a_hash_that_makes_one_multiple_cancel_or_equal_the_other_gets_the_crates_verdict, {
                // With a key of k, u1 + k u2 = (z + k r) / s: r = z / k makes both multiples equal, r = -z / k cancels them.
                let z = Scalar::from_repr(hash_as_field_bytes(b"message")).unwrap();
                for k in [1_u64, 2, 3, 16] {
                    let k = Scalar::from(k);
                    let reference = VerifyingKey::from(&SigningKey::from_slice(&k.to_repr()).unwrap());
                    let own = Own::from_sec1(reference.to_encoded_point(true).as_bytes()).unwrap();
                    let quotient = z * k.invert().unwrap();
                    for r in [quotient, -quotient] {
                        for s in [r, -r, z, -z, k] {
                            let signature = [r.to_repr(), s.to_repr()].concat();
                            for _ in 0..2 {
                                agreed(&own, &reference, b"message", &signature);
                            }
                        }
                    }
                }
            });

            test!(encodings_of_no_point_are_refused, {
                let signing = SigningKey::from_slice(&bytes(b"key")).unwrap();
                let point = VerifyingKey::from(&signing).to_encoded_point(false);
                let point = point.as_bytes();
                assert!(Own::from_sec1(point).is_some());
                for length in 0..point.len() {
                    let compressed = length == 1 + LENGTH;
                    for tag in 0..=255 {
                        let encoded = [&[tag], &point[1..]].concat();
                        let expected = compressed && (tag == 2 || tag == 3);
                        assert_eq!(Own::from_sec1(&encoded[..length.max(1)]).is_some(), expected, "{tag} {length}");
                    }
                }
                for tag in 0..=255 {
                    let encoded = [&[tag], &point[1..]].concat();
                    assert_eq!(Own::from_sec1(&encoded).is_some(), tag == 4, "{tag}");
                    assert!(Own::from_sec1(&[&encoded[..], &[0]].concat()).is_none());
                }
                assert!(Own::from_sec1(&[]).is_none());
                // A coordinate that is not the point's.
                for place in 1..point.len() {
                    let mut encoded = point.to_vec();
                    encoded[place] ^= 1 << (place % 8);
                    assert!(Own::from_sec1(&encoded).is_none(), "{place}");
                }
            });

            #[cfg(not(target_arch = "wasm32"))]
            proptest! {
                #![proptest_config(ProptestConfig::with_cases(64))]

                #[test]
                fn verdicts_are_those_of_the_crate(
                    secret in any::<[u8; 8]>(),
                    message in prop::collection::vec(any::<u8>(), 0..80),
                    change in (0..2 * LENGTH, 1..=255_u8),
                    r in number(),
                    s in number(),
                ) {
                    let signing = SigningKey::from_slice(&bytes(&secret)).unwrap();
                    let reference = VerifyingKey::from(&signing);
                    let own = Own::from_sec1(reference.to_encoded_point(secret[0] % 2 == 0).as_bytes()).unwrap();
                    let good = signed(&signing, &message);
                    let mut changed = good.clone();
                    changed[change.0] ^= change.1;
                    let (good_r, good_s) = good.split_at(LENGTH);
                    // The table comes with the fourth.
                    for _ in 0..2 {
                        prop_assert!(agreed(&own, &reference, &message, &good));
                        for wrong in [&changed[..], &[&r[..], good_s].concat(), &[good_r, &s[..]].concat(), &[r.clone(), s.clone()].concat()] {
                            agreed(&own, &reference, &message, wrong);
                        }
                    }
                }
            }

            /// Of the length of R and S: near 0 and the order, of many equal bits, or any.
            #[cfg(not(target_arch = "wasm32"))]
            fn number() -> impl Strategy<Value = Vec<u8>> {
                let near = |base: Scalar| {
                    (0..100_u64, any::<bool>()).prop_map(move |(distance, below)| {
                        let distance = Scalar::from(distance);
                        (if below { base - distance } else { base + distance }).to_repr().to_vec()
                    })
                };
                prop_oneof![
                    near(Scalar::from(0_u64)),
                    near(Scalar::from(2_u64).invert().unwrap()),
                    prop::collection::vec(prop_oneof![Just(0), Just(0xff)], LENGTH),
                    prop::collection::vec(any::<u8>(), LENGTH),
                ]
            }

            /// The verdict, which is the crate's too.
            fn agreed(own: &Own, reference: &VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
                let expected = Signature::from_slice(signature)
                    .is_ok_and(|signature| reference.verify(message, &signature).is_ok());
                assert_eq!(own.verify(&<$hash>::digest(message), signature), expected, "{message:x?} {signature:x?}");
                expected
            }

            /// FIPS 186-5 §6.4.1, with a known nonce: the crate of P-521 wants a random one.
            fn signed(signing: &SigningKey, message: &[u8]) -> Vec<u8> {
                let hash = Scalar::from_repr(hash_as_field_bytes(message)).unwrap();
                let nonce = scalar(&bytes(&[b"nonce", message].concat()));
                let point = ProjectivePoint::GENERATOR * nonce;
                let r = scalar(point.to_affine().to_encoded_point(false).x().unwrap());
                let s = nonce.invert().unwrap() * (hash + r * scalar(&signing.to_bytes()));
                [r.to_repr(), s.to_repr()].concat()
            }

            fn scalar(bytes: &[u8]) -> Scalar {
                let mut repr = FieldBytes::default();
                repr.copy_from_slice(bytes);
                Scalar::from_repr(repr).unwrap()
            }

            fn hash_as_field_bytes(message: &[u8]) -> FieldBytes {
                let hash = <$hash>::digest(message);
                let mut bytes = FieldBytes::default();
                bytes[LENGTH - hash.len()..].copy_from_slice(&hash);
                bytes
            }

            /// A scalar, from a seed.
            fn bytes(seed: &[u8]) -> [u8; LENGTH] {
                let hashes = [0, 1].map(|half| Sha512::digest([seed, &[half]].concat()));
                let mut bytes: [u8; LENGTH] = *hashes.concat().first_chunk().unwrap();
                bytes[0] = 0;
                bytes
            }

            const LENGTH: usize = Own::BYTES;
        }
    };
}

tests_of!(p256, p256, P256, 9, Sha256);
tests_of!(p384, p384, P384, 14, Sha384);
tests_of!(p521, p521, P521, 19, Sha512);
