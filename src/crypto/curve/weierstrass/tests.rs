use sha2::{Digest as _, Sha512};

use super::{
    super::{
        p256::P256,
        p384::P384,
        p521::P521,
        table::sum_of_multiples,
        words::{from_big_endian, from_hex},
    },
    *,
};

/// What holds on a curve, compared with its crate. `$step` is how many hostile scalars are passed over for one that is
/// combined with all: the crates take their time.
macro_rules! tests_of {
    ($module:ident, $reference:ident, $curve:ty, $n:literal, $step:literal) => {
        mod $module {
            use ::$reference::{
                AffinePoint, EncodedPoint, ProjectivePoint, Scalar,
                elliptic_curve::{
                    PrimeField as _,
                    sec1::{FromEncodedPoint as _, ToEncodedPoint as _},
                },
            };

            use super::*;
            use crate::test::test;

            type Own = $curve;

            test!(multiples_are_those_of_the_crate, {
                let points = [1_u64, 2, 3, 16, 17, 1000].map(Scalar::from).into_iter().chain(hostile_scalars());
                for (number, q) in points.enumerate().step_by($step) {
                    if q == Scalar::ZERO {
                        continue;
                    }
                    let point = ProjectivePoint::GENERATOR * q;
                    let tables = [Table::<Own, $n>::small(&own(&point)), Table::large(&own(&point))];
                    // Among these are sums where both multiples are equal, or one is the other's negative, and where
                    // one is zero.
                    let scalars: Vec<Scalar> =
                        hostile_scalars().into_iter().chain([q, -q, q.double(), random(number)]).collect();
                    for (index, u1) in scalars.iter().enumerate() {
                        let u2 = scalars[(index * 7 + number) % scalars.len()];
                        for u2 in [u2, *u1] {
                            let expected = coordinates(&(ProjectivePoint::GENERATOR * u1 + point * u2));
                            for table in &tables {
                                let sum = sum_of_multiples([(table, &words(&u2)), (generator(), &words(u1))]);
                                assert_eq!(own_coordinates(&sum), expected, "{u1:?} {q:?} {u2:?}");
                            }
                        }
                    }
                }
            });

            test!(a_sum_may_double_cancel_and_begin_anew, {
                for k in [1_u64, 5, 77] {
                    let point = ProjectivePoint::GENERATOR * Scalar::from(k);
                    let fixed = own(&point);
                    let mut sum = Own::zero();
                    Own::double(&mut sum);
                    assert_eq!(own_coordinates(&sum), None);
                    Own::add(&mut sum, &fixed, true);
                    assert_eq!(own_coordinates(&sum), coordinates(&-point));
                    Own::add(&mut sum, &fixed, true);
                    let twice = point + point;
                    assert_eq!(own_coordinates(&sum), coordinates(&-twice));
                    Own::add(&mut sum, &own(&twice), true);
                    assert_eq!(own_coordinates(&sum), coordinates(&-(twice + twice)));
                    Own::add(&mut sum, &own(&(twice + twice)), false);
                    assert_eq!(own_coordinates(&sum), None);
                    assert!(!sum.has_x::<Own>(&[0; $n]) && !sum.has_x::<Own>(&from_hex("1")));
                }
            });

            test!(an_x_of_the_order_and_up_stands_for_a_small_number, {
                let order = (-Scalar::ONE).to_repr();
                let mut found = 0;
                for small in 0..40_u8 {
                    // No order ends in a byte that is so high that it is carried.
                    let mut x = order;
                    x[LENGTH - 1] += 1 + small;
                    let Some(point) = with_x(&x) else {
                        continue;
                    };
                    found += 1;
                    let mut sum = Own::zero();
                    Own::add(&mut sum, &own(&point), false);
                    Own::double(&mut sum);
                    Own::add(&mut sum, &own(&point), true);
                    let number = |number: u8| from_big_endian(&[number]);
                    assert!(sum.has_x::<Own>(&number(small)) && !sum.has_x::<Own>(&number(small + 1)), "{small}");
                }
                assert!(found > 10);
                // A number with which the sum would be p or more stands for itself alone: x = i is not r = i + p - n.
                let mut beyond = *<Own as Curve<$n>>::Prime::MODULUS.words();
                subtract(&mut beyond, Own::ORDER.words());
                for small in 0..40_u8 {
                    let mut x = ::$reference::FieldBytes::default();
                    x[LENGTH - 1] = small;
                    let Some(point) = with_x(&x) else {
                        continue;
                    };
                    let mut sum = Own::zero();
                    Own::add(&mut sum, &own(&point), false);
                    let mut beyond = beyond;
                    beyond[0] += u32::from(small);
                    assert!(sum.has_x::<Own>(&from_big_endian(&[small])) && !sum.has_x::<Own>(&beyond), "{small}");
                    found += 1;
                }
                assert!(found > 20);
            });

            test!(quotients_are_those_of_the_crate, {
                let scalars: Vec<Scalar> = hostile_scalars().into_iter().chain((0..50).map(random)).collect();
                for (index, divisor) in scalars.iter().enumerate() {
                    let inverse = Option::<Scalar>::from(divisor.invert()).unwrap_or(Scalar::ZERO);
                    let a = scalars[(index * 7 + 1) % scalars.len()];
                    for b in [*divisor, Scalar::ONE, random(index)] {
                        let quotients = quotients::<Own, $n>([&words(&a), &words(&b)], &words(divisor));
                        assert_eq!(
                            quotients,
                            [a, b].map(|number| words(&(number * inverse))),
                            "{a:?} {b:?} {divisor:?}"
                        );
                    }
                }
                // What is divided need not be below the order.
                let most = ones(Own::BITS);
                let one = Scalar::ONE;
                let power = one.double().pow_vartime(&[Own::BITS as u64]) - one;
                assert_eq!(
                    quotients::<Own, $n>([&from_big_endian(&most), Own::ORDER.words()], &words(&one)),
                    [power, Scalar::ZERO].map(|number| words(&number))
                );
            });

            test!(scalars_are_from_1_to_below_the_order, {
                let is_scalar = is_scalar::<Own, $n>;
                assert!(!is_scalar(&[0; $n]) && !is_scalar(Own::ORDER.words()));
                assert!(!is_scalar(&from_big_endian(&[0xff; LENGTH])));
                assert!(is_scalar(&words(&Scalar::ONE)) && is_scalar(&words(&-Scalar::ONE)));
                let mut above = *Own::ORDER.words();
                above[0] += 1;
                assert!(!is_scalar(&above));
            });

            test!(points_are_those_of_the_crate, {
                let (mut on, mut off) = (0, 0);
                for number in 0..60 {
                    let x = random(number).to_repr();
                    for (y_is_odd, tag) in [(false, 2), (true, 3)] {
                        let encoded = EncodedPoint::from_bytes([&[tag], &x[..]].concat()).unwrap();
                        let point = Option::<AffinePoint>::from(AffinePoint::from_encoded_point(&encoded));
                        let own = Affine::from_x::<Own>(&from_big_endian(&x), y_is_odd);
                        let Some(point) = point else {
                            off += 1;
                            assert!(own.is_none());
                            continue;
                        };
                        on += 1;
                        let mut sum = Own::zero();
                        Own::add(&mut sum, &own.unwrap(), false);
                        assert_eq!(own_coordinates(&sum), coordinates(&point.into()));
                        let (x, y) = coordinates(&point.into()).unwrap();
                        assert!(Affine::from_coordinates::<Own>(&x, &y).is_some());
                        let mut other = y;
                        other[number % $n] ^= 1 << (number % 13);
                        assert!(Affine::from_coordinates::<Own>(&x, &other).is_none());
                        assert!(Affine::from_coordinates::<Own>(&y, &x).is_none());
                    }
                }
                assert!(on > 40 && off > 40, "{on} {off}");
            });

            test!(coordinates_from_the_prime_up_are_refused, {
                let prime = *<Own as Curve<$n>>::Prime::MODULUS.words();
                let mut found = 0;
                for small in 0..40 {
                    let mut x = from_big_endian(&[small]);
                    let Some(point) = Affine::from_x::<Own>(&x, false) else {
                        continue;
                    };
                    found += 1;
                    let mut sum = Own::zero();
                    Own::add(&mut sum, &point, false);
                    let (_, y) = own_coordinates(&sum).unwrap();
                    assert!(Affine::from_coordinates::<Own>(&x, &y).is_some());

                    let sum: u64 = u64::from(prime[0]) + u64::from(small);
                    x = prime;
                    x[0] = sum as u32 & 0x3fff_ffff;
                    if sum >> 30 != 0 {
                        add_one(&mut x[1..]);
                    }
                    assert!(Affine::from_coordinates::<Own>(&x, &y).is_none());
                    assert!(Affine::from_x::<Own>(&x, false).is_none());
                }
                assert!(found > 10);
            });

            /// At the edges of windows, of limbs and of the order.
            fn hostile_scalars() -> Vec<Scalar> {
                let two = Scalar::from(2_u64);
                let half = two.invert().unwrap();
                let mut scalars = vec![Scalar::ZERO, Scalar::ONE, two, half, -half, -Scalar::ONE, -two];
                let bits = Own::BITS as u64;
                for exponent in [4, 5, 20, 27, 28, 29, 30, 127, 128, bits - 6, bits - 2, bits - 1] {
                    let power = two.pow_vartime(&[exponent]);
                    scalars.extend([power, power - Scalar::ONE, -power, power + Scalar::from(16_u64)]);
                }
                // All digits 16, 17, 15 and 1.
                for byte in [0x84, 0x10, 0xef, 0x7b, 0x42] {
                    scalars.push(scalar([byte; LENGTH]));
                }
                scalars
            }

            fn random(seed: usize) -> Scalar {
                let hashes = [0, 1].map(|half| Sha512::digest(format!("{seed} {half}")));
                scalar(*hashes.concat().first_chunk().unwrap())
            }

            /// Of what is below the order once the bits above it are cleared.
            fn scalar(mut bytes: [u8; LENGTH]) -> Scalar {
                bytes[0] &= 0xff >> (8 * LENGTH - Own::BITS);
                let mut repr = ::$reference::FieldBytes::default();
                repr.copy_from_slice(&bytes);
                Scalar::from_repr(repr).unwrap()
            }

            fn words(scalar: &Scalar) -> Words<$n> {
                from_big_endian(&scalar.to_repr())
            }

            fn with_x(x: &::$reference::FieldBytes) -> Option<ProjectivePoint> {
                let encoded = EncodedPoint::from_bytes([&[2], &x[..]].concat()).unwrap();
                Option::<AffinePoint>::from(AffinePoint::from_encoded_point(&encoded)).map(ProjectivePoint::from)
            }

            fn own(point: &ProjectivePoint) -> Affine<$n> {
                let (x, y) = coordinates(point).unwrap();
                Affine::from_coordinates::<Own>(&x, &y).unwrap()
            }

            fn coordinates(point: &ProjectivePoint) -> Option<(Words<$n>, Words<$n>)> {
                let encoded = point.to_affine().to_encoded_point(false);
                Some((from_big_endian(encoded.x()?), from_big_endian(encoded.y()?)))
            }

            fn own_coordinates(point: &<Own as Group<$n>>::Sum) -> Option<(Words<$n>, Words<$n>)> {
                let inverse = point.z?.inverted();
                let square = inverse.squared();
                Some((point.x.times(&square).to_words(), point.y.times(&square.times(&inverse)).to_words()))
            }

            const LENGTH: usize = Own::BITS.div_ceil(8);
        }
    };
}

tests_of!(p256, p256, P256, 9, 1);
tests_of!(p384, p384, P384, 14, 6);
tests_of!(p521, p521, P521, 19, 12);

/// The number of so many bits that are all ones.
fn ones(bits: usize) -> Vec<u8> {
    let mut bytes = vec![0xff; bits.div_ceil(8)];
    bytes[0] >>= 8 * bytes.len() - bits;
    bytes
}

fn add_one(words: &mut [u32]) {
    for word in words {
        *word = (*word + 1) & 0x3fff_ffff;
        if *word != 0 {
            return;
        }
    }
}
