//! Points of P-256, y^2 = x^3 - 3x + b (SP 800-186 §3.2.1.3).
//!
//! Their number is a prime, so that every point but zero, the one at infinity, has that order, and none is its own
//! negative.

use std::sync::OnceLock;

use self::prime::P;
use super::{
    Group, Table,
    field::{self, Packed},
    inverse::{self, Modulus},
    words::{WORDS, Words},
};

pub(super) mod prime;

type Field = field::Field<P>;

/// The group of P-256's points.
pub(in crate::crypto) struct P256;

/// A point by its coordinates, which is not the one at infinity.
#[cfg_attr(test, derive(Clone))]
pub(in crate::crypto) struct Affine {
    x: Packed,
    y: Packed,
}

/// A point as x = X / Z^2 and y = Y / Z^3 (Jacobian coordinates), or the one at infinity.
#[derive(Clone)]
pub(in crate::crypto) struct Point {
    x: Field,
    y: Field,
    /// None at infinity.
    z: Option<Field>,
}

impl Affine {
    /// From the coordinates of a point that is known to be on the curve.
    pub(in crate::crypto) fn from_coordinates(x: &Words, y: &Words) -> Self {
        Self { x: Field::from_words(x).pack(), y: Field::from_words(y).pack() }
    }
}

impl Point {
    /// Whether the point's x is this number, modulo the order of the group, below which the number is.
    pub(in crate::crypto) fn has_x(&self, number: &Words) -> bool {
        let Some(z) = self.z else {
            return false;
        };
        let zz = z.squared();
        let is = |x: Field| zz.times(&x).minus(&self.x).is_zero();
        let x = Field::from_words(number);
        // x may be the number plus the order, if that is still below the field's prime.
        is(x) || is_less(number, &P_MINUS_N) && is(x.plus(&Field::from_words(&N.words())))
    }
}

impl Group for P256 {
    type Prime = P;
    type Sum = Point;
    type Fixed = Affine;

    #[inline(never)]
    fn zero() -> Point {
        Point { x: Field::ONE, y: Field::ONE, z: None }
    }

    fn add(sum: &mut Point, point: &Affine, negative: bool) {
        let x = Field::unpack(&point.x);
        let y = Field::unpack(&point.y);
        let y = if negative { y.negated() } else { y };
        let Some(z) = sum.z else {
            *sum = Point { x, y: y.carried(), z: Some(Field::ONE) };
            return;
        };
        // "madd" of the Explicit-Formulas Database (Jacobian coordinates, short Weierstrass curves).
        let zz = z.squared();
        let h = x.times(&zz).minus(&sum.x);
        let r = y.times(&z.times(&zz)).minus(&sum.y);
        let hh = h.squared();
        if hh.square_is_zero() {
            // The same x: the same point, or its negative.
            if r.is_zero() {
                Self::double(sum);
            } else {
                *sum = Self::zero();
            }
            return;
        }
        let hhh = hh.times(&h);
        let v = sum.x.times(&hh);
        sum.x = r.squared().minus(&hhh).minus(&v.doubled()).carried();
        sum.y = r.times(&v.minus(&sum.x)).minus(&sum.y.times(&hhh)).carried();
        sum.z = Some(z.times(&h));
    }

    fn double(sum: &mut Point) {
        let Some(z) = sum.z else {
            return;
        };
        // "dbl-2001-b" there, with Z3 as a product, and what is 4 beta and 8 gamma^2 there as products of even numbers.
        let delta = z.squared();
        let gamma = sum.y.squared();
        let gamma_2 = gamma.doubled();
        let beta_4 = sum.x.doubled().carried().times(&gamma_2);
        let alpha = sum.x.minus(&delta).times(&sum.x.plus(&delta));
        let alpha = alpha.plus(&alpha.doubled()).carried();
        sum.z = Some(sum.y.doubled().times(&z));
        sum.x = alpha.squared().minus(&beta_4.doubled()).carried();
        sum.y = alpha.times(&beta_4.minus(&sum.x)).minus(&gamma_2.doubled().carried().times(&gamma_2)).carried();
    }

    fn denominator(sum: &Point) -> Field {
        sum.z.unwrap_or(Field::ONE)
    }

    #[inline(never)]
    fn fixed(sum: &Point, inverse: &Field) -> Affine {
        let square = inverse.squared();
        Affine { x: sum.x.times(&square).pack(), y: sum.y.times(&square.times(inverse)).pack() }
    }
}

/// The generator's multiples, made when they are first asked for.
pub(in crate::crypto) fn generator() -> &'static Table<P256> {
    static TABLE: OnceLock<Table<P256>> = OnceLock::new();
    TABLE.get_or_init(|| Table::large(&Affine::from_coordinates(&GENERATOR_X, &GENERATOR_Y)))
}

/// Whether the number is from 1 to below the order of the group.
pub(in crate::crypto) fn is_scalar(number: &Words) -> bool {
    *number != [0; WORDS] && is_less(number, &N.words())
}

/// The inverse of a number below the order of the group, modulo the order.
pub(in crate::crypto) fn inverse_modulo_order(number: &Words) -> Words {
    inverse::inverse(number, &N)
}

fn is_less(a: &Words, b: &Words) -> bool {
    a.iter().rev().lt(b.iter().rev())
}

const GENERATOR_X: Words =
    [0x1898_c296, 0x1284_e517, 0x1eb3_3a0f, 0xdf_604b, 0x2440_f277, 0x339b_958e, 0x424_7f8b, 0x347c_b84b, 0x6b17];
const GENERATOR_Y: Words =
    [0x37bf_51f5, 0x2ed9_01a0, 0x3315_ecec, 0x338c_d5da, 0xf9e_162b, 0x1fad_29f0, 0x27f9_b8ee, 0x10b8_bf86, 0x4fe3];

/// The order of the group.
const N: Modulus = Modulus {
    words: [0x3c63_2551, 0xee7_2b0b, 0x3179_e84f, 0x39be_ab69, 0x3fff_ffbc, 0x3fff_ffff, 0xfff, 0x3fff_c000, 0xffff],
    inverse: 0x11ff_43b1,
};

/// What the field's prime is above the order.
const P_MINUS_N: Words = [0x39c_daae, 0x3118_d4f4, 0xe86_17b0, 0x641_54d6, 0x43, 0, 0, 0, 0];

#[cfg(test)]
mod tests {
    use ::p256::{
        AffinePoint, EncodedPoint, ProjectivePoint, Scalar,
        elliptic_curve::{PrimeField as _, ops::Reduce, sec1::FromEncodedPoint as _, sec1::ToEncodedPoint as _},
    };
    use sha2::{Digest as _, Sha256};

    use super::{
        super::{
            table::sum_of_multiples,
            words::{from_big_endian, to_big_endian},
        },
        *,
    };
    use crate::test::test;

    test!(multiples_are_those_of_the_p256_crate, {
        for (number, q) in
            [1_u64, 2, 3, 16, 17, 1000].map(Scalar::from).into_iter().chain(hostile_scalars()).enumerate()
        {
            if q == Scalar::ZERO {
                continue;
            }
            let point = ProjectivePoint::GENERATOR * q;
            let tables = [Table::small(&own(&point)), Table::large(&own(&point))];
            // Among these are sums where both multiples are equal, or one is the other's negative, and where one is zero.
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
            let mut sum = P256::zero();
            P256::double(&mut sum);
            assert_eq!(own_coordinates(&sum), None);
            P256::add(&mut sum, &fixed, true);
            assert_eq!(own_coordinates(&sum), coordinates(&-point));
            P256::add(&mut sum, &fixed, true);
            let twice = point + point;
            assert_eq!(own_coordinates(&sum), coordinates(&-twice));
            P256::add(&mut sum, &own(&twice), true);
            assert_eq!(own_coordinates(&sum), coordinates(&-(twice + twice)));
            P256::add(&mut sum, &own(&(twice + twice)), false);
            assert_eq!(own_coordinates(&sum), None);
            assert!(!sum.has_x(&[0; WORDS]) && !sum.has_x(&[1, 0, 0, 0, 0, 0, 0, 0, 0]));
        }
    });

    test!(an_x_of_the_order_and_up_stands_for_a_small_number, {
        let order = to_big_endian(&N.words());
        let mut found = 0;
        for small in 0..40_u8 {
            // The order ends in 0x51, so that nothing is carried.
            let mut x = order;
            x[31] += small;
            let encoded = EncodedPoint::from_bytes([&[2], &x[..]].concat()).unwrap();
            let Some(point) = Option::<AffinePoint>::from(AffinePoint::from_encoded_point(&encoded)) else {
                continue;
            };
            found += 1;
            let mut sum = P256::zero();
            P256::add(&mut sum, &own(&point.into()), false);
            P256::double(&mut sum);
            P256::add(&mut sum, &own(&point.into()), true);
            let number = |number: u8| [number.into(), 0, 0, 0, 0, 0, 0, 0, 0];
            assert!(sum.has_x(&number(small)) && !sum.has_x(&number(small + 1)), "{small}");
        }
        assert!(found > 10);
        // A number with which the sum would be p or more stands for itself alone: x = 5 is not r = 5 + p - n.
        let encoded = EncodedPoint::from_bytes([&[2][..], &[0; 31], &[5]].concat()).unwrap();
        let point = Option::<AffinePoint>::from(AffinePoint::from_encoded_point(&encoded)).unwrap();
        let mut sum = P256::zero();
        P256::add(&mut sum, &own(&point.into()), false);
        let mut beyond = P_MINUS_N;
        beyond[0] += 5;
        assert!(sum.has_x(&[5, 0, 0, 0, 0, 0, 0, 0, 0]) && !sum.has_x(&beyond));
    });

    test!(inverses_are_those_of_the_p256_crate, {
        for scalar in hostile_scalars().into_iter().chain((0..200).map(random)) {
            let inverse = Option::<Scalar>::from(scalar.invert()).unwrap_or(Scalar::ZERO);
            assert_eq!(inverse_modulo_order(&words(&scalar)), words(&inverse), "{scalar:?}");
        }
    });

    test!(scalars_are_from_1_to_below_the_order, {
        assert!(!is_scalar(&[0; WORDS]) && !is_scalar(&N.words()) && !is_scalar(&from_big_endian(&[0xff; 32])));
        assert!(is_scalar(&words(&Scalar::ONE)) && is_scalar(&words(&-Scalar::ONE)));
        let mut above = N.words();
        above[0] += 1;
        assert!(!is_scalar(&above));
    });

    /// At the edges of windows, of limbs and of the order.
    fn hostile_scalars() -> Vec<Scalar> {
        let two = Scalar::from(2_u64);
        let mut scalars = vec![Scalar::ZERO, Scalar::ONE, two, Scalar::TWO_INV, -Scalar::TWO_INV, -Scalar::ONE, -two];
        for exponent in [4_u64, 5, 20, 28, 29, 30, 127, 128, 250, 254, 255] {
            let power = two.pow_vartime(&[exponent]);
            scalars.extend([power, power - Scalar::ONE, -power, power + Scalar::from(16_u64)]);
        }
        // All digits 16, 17, 15 and 1.
        for byte in [0x84, 0x10, 0xef, 0x7b, 0x42] {
            scalars.push(Scalar::reduce_bytes(&[byte; 32].into()));
        }
        scalars
    }

    fn random(seed: usize) -> Scalar {
        Scalar::reduce_bytes(&Sha256::digest(seed.to_string()))
    }

    fn words(scalar: &Scalar) -> Words {
        from_big_endian(&scalar.to_repr().into())
    }

    fn own(point: &ProjectivePoint) -> Affine {
        let (x, y) = coordinates(point).unwrap();
        Affine::from_coordinates(&x, &y)
    }

    fn coordinates(point: &ProjectivePoint) -> Option<(Words, Words)> {
        let encoded = point.to_affine().to_encoded_point(false);
        let coordinate = |bytes: &::p256::FieldBytes| from_big_endian(&(*bytes).into());
        Some((coordinate(encoded.x()?), coordinate(encoded.y()?)))
    }

    fn own_coordinates(point: &Point) -> Option<(Words, Words)> {
        let inverse = point.z?.inverted();
        let square = inverse.squared();
        // The form of x times a plain 1 is the plain x.
        let plain =
            |number: Field| number.times(&Field::of(super::super::field::limbs([1, 0, 0, 0, 0, 0, 0, 0, 0]))).to_form();
        Some((plain(point.x.times(&square)), plain(point.y.times(&square.times(&inverse)))))
    }
}
