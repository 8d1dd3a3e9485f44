//! Points of edwards25519, -x^2 + y^2 = 1 + d x^2 y^2 (RFC 8032 §5.1).
//!
//! The formulas are complete: they hold for all points, zero and those of small order too.

use std::sync::OnceLock;

use self::prime::P;
use super::{
    Group, Table,
    field::{self, Packed},
    words::{Words, from_hex, from_little_endian, to_little_endian},
};

pub(super) mod prime;

type Field = field::Field<P, 9>;

/// The group of edwards25519's points.
pub(in crate::crypto) struct Edwards25519;

/// A point as y + x, y - x and 2dxy.
#[cfg_attr(test, derive(Clone))]
pub(in crate::crypto) struct Affine {
    sum: Packed<9>,
    difference: Packed<9>,
    product: Packed<9>,
}

/// A point as x = X / Z, y = Y / Z and xy = T / Z (extended coordinates).
#[derive(Clone)]
pub(in crate::crypto) struct Point {
    x: Field,
    y: Field,
    z: Field,
    t: Field,
}

impl Affine {
    fn new(x: &Field, y: &Field) -> Self {
        let product = x.times(y).times(&Field::from_form(&TWICE_D));
        Self { sum: y.plus(x).pack(), difference: y.minus(x).pack(), product: product.pack() }
    }

    /// The negative of a point that is known to be on the curve, given as its encoding and as that of its sum with a point
    /// of order 4.
    pub(in crate::crypto) fn negative(encoding: &[u8; 32], with_order_4: &[u8; 32]) -> Self {
        let y = Field::from_words(&without_sign(encoding));
        // A point of order 4 is (i, 0) or (-i, 0), where i is a square root of -1. By the law of addition the sum's y is
        // ix or -ix.
        let x = Field::from_words(&without_sign(with_order_4)).times(&Field::from_form(&ROOT_OF_MINUS_ONE));
        let negative = if is_odd(&x) == has_sign(encoding) { x.negated() } else { x };
        Self::new(&negative, &y)
    }
}

impl Point {
    /// RFC 8032 §5.1.2.
    pub(in crate::crypto) fn encoded(&self) -> [u8; 32] {
        let inverse = self.z.inverted();
        let mut encoding = to_little_endian(&self.y.times(&inverse).to_form());
        if is_odd(&self.x.times(&inverse)) {
            encoding[31] |= SIGN;
        }
        encoding
    }
}

impl Group<9> for Edwards25519 {
    type Prime = P;
    type Sum = Point;
    type Fixed = Affine;

    const SCALAR_BITS: usize = 255;

    #[inline(never)]
    fn zero() -> Point {
        Point { x: Field::ZERO, y: Field::ONE, z: Field::ONE, t: Field::ZERO }
    }

    fn add(sum: &mut Point, point: &Affine, negative: bool) {
        // "madd-2008-hwcd-3" of the Explicit-Formulas Database (extended coordinates, twisted Edwards curves, a = -1).
        let (y_plus_x, y_minus_x) = (Field::unpack(&point.sum), Field::unpack(&point.difference));
        let (y_plus_x, y_minus_x) = if negative { (y_minus_x, y_plus_x) } else { (y_plus_x, y_minus_x) };
        let a = sum.y.minus(&sum.x).times(&y_minus_x);
        let b = sum.y.plus(&sum.x).times(&y_plus_x);
        let c = sum.t.times(&Field::unpack(&point.product));
        let c = if negative { c.negated() } else { c };
        let d = sum.z.doubled();
        let (e, f, g, h) = (b.minus(&a), d.minus(&c), d.plus(&c).carried(), b.plus(&a));
        *sum = Point { x: f.times(&e), y: h.times(&g), z: f.times(&g), t: h.times(&e) };
    }

    fn double(sum: &mut Point) {
        // "dbl-2008-hwcd" there, with E as a product.
        let (a, b) = (sum.x.squared(), sum.y.squared());
        let c = sum.z.squared().doubled();
        let e = sum.x.times(&sum.y).doubled().carried();
        let (f, g, h) = (b.minus(&a).minus(&c).carried(), b.minus(&a), a.plus(&b).negated());
        *sum = Point { x: f.times(&e), y: h.times(&g), z: f.times(&g), t: h.times(&e) };
    }

    fn denominator(sum: &Point) -> Field {
        sum.z
    }

    #[inline(never)]
    fn fixed(sum: &Point, inverse: &Field) -> Affine {
        Affine::new(&sum.x.times(inverse), &sum.y.times(inverse))
    }
}

/// The base point's multiples, made when they are first asked for.
pub(in crate::crypto) fn base_point() -> &'static Table<Edwards25519, 9> {
    static TABLE: OnceLock<Table<Edwards25519, 9>> = OnceLock::new();
    TABLE.get_or_init(|| Table::large(&Affine::new(&Field::from_words(&BASE_X), &Field::from_words(&BASE_Y))))
}

/// Whether the y in a point's encoding is below the field's prime (RFC 8032 §5.1.3 step 1).
pub(in crate::crypto) fn is_canonical(encoding: &[u8; 32]) -> bool {
    let y = without_sign(encoding);
    Field::from_words(&y).to_form() == y
}

#[inline(never)]
fn without_sign(encoding: &[u8; 32]) -> Words<9> {
    let mut encoding = *encoding;
    encoding[31] &= !SIGN;
    from_little_endian(&encoding)
}

/// Whether the encoding says that x is odd.
fn has_sign(encoding: &[u8; 32]) -> bool {
    encoding[31] & SIGN != 0
}

fn is_odd(number: &Field) -> bool {
    number.to_form()[0] & 1 == 1
}

const SIGN: u8 = 0x80;

const BASE_X: Words<9> = from_hex("216936d3 cd6e53fe c0a4e231 fdd6dc5c 692cc760 9525a7b2 c9562d60 8f25d51a");
const BASE_Y: Words<9> = from_hex("66666666 66666666 66666666 66666666 66666666 66666666 66666666 66666658");
const TWICE_D: Words<9> = from_hex("2406d9dc 56dffce7 198e80f2 eef3d130 00e0149a 8283b156 ebd69b94 26b2f159");
const ROOT_OF_MINUS_ONE: Words<9> = from_hex("2b832480 4fc1df0b 2b4d0099 3dfbd7a7 2f431806 ad2fe478 c4ee1b27 4a0ea0b0");

#[cfg(test)]
mod tests {
    use curve25519_dalek::{
        EdwardsPoint, Scalar,
        constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION},
        traits::IsIdentity as _,
    };
    use sha2::Sha512;

    use super::{super::table::sum_of_multiples, *};
    use crate::test::test;

    test!(multiples_are_those_of_dalek, {
        for (number, torsion) in EIGHT_TORSION.into_iter().enumerate() {
            for a in [Scalar::ONE, Scalar::from(17_u8), random(number)] {
                // Of the order of the base point, and of mixed order.
                let point = ED25519_BASEPOINT_POINT * a + torsion;
                let negative = own_negative(&point);
                let tables = [Table::small(&negative), Table::large(&negative)];
                let scalars: Vec<Scalar> = hostile_scalars().into_iter().chain([a, -a, random(100 + number)]).collect();
                for (index, s) in scalars.iter().enumerate() {
                    let k = scalars[(index * 7 + number) % scalars.len()];
                    for k in [k, *s] {
                        let expected = EdwardsPoint::vartime_double_scalar_mul_basepoint(&k, &-point, s);
                        for table in &tables {
                            let sum = sum_of_multiples([(table, &words(&k)), (base_point(), &words(s))]);
                            assert_eq!(sum.encoded(), expected.compress().to_bytes(), "{number} {a:?} {k:?} {s:?}");
                        }
                    }
                }
            }
        }
    });

    test!(zero_and_points_of_small_order_are_added_and_doubled, {
        for torsion in EIGHT_TORSION {
            if torsion.is_identity() || (torsion + torsion).is_identity() {
                // x = 0, from which no negative is read: such keys are refused before.
                continue;
            }
            let negative = own_negative(&torsion);
            let mut sum = Edwards25519::zero();
            let mut expected = EdwardsPoint::default();
            for _ in 0..9 {
                assert_eq!(sum.encoded(), expected.compress().to_bytes());
                Edwards25519::add(&mut sum, &negative, false);
                expected -= torsion;
            }
            for _ in 0..4 {
                Edwards25519::double(&mut sum);
                expected = expected + expected;
                assert_eq!(sum.encoded(), expected.compress().to_bytes());
            }
            Edwards25519::add(&mut sum, &negative, true);
            assert_eq!(sum.encoded(), (expected + torsion).compress().to_bytes());
        }
    });

    test!(an_encoding_is_canonical_below_the_prime, {
        for (lowest, canonical) in [(0xec, true), (0xed, false), (0xee, false), (0xff, false)] {
            for highest in [0x7f, 0xff] {
                let mut encoding = [0xff; 32];
                (encoding[0], encoding[31]) = (lowest, highest);
                assert_eq!(is_canonical(&encoding), canonical, "{lowest:x}");
            }
        }
        assert!(is_canonical(&[0; 32]) && is_canonical(&[0x7e; 32]));
    });

    fn own_negative(point: &EdwardsPoint) -> Affine {
        let with_order_4 = point + EIGHT_TORSION[2];
        Affine::negative(&point.compress().to_bytes(), &with_order_4.compress().to_bytes())
    }

    fn hostile_scalars() -> Vec<Scalar> {
        let mut scalars = vec![Scalar::ZERO, Scalar::ONE, -Scalar::ONE, -Scalar::from(2_u8), Scalar::from(8_u8)];
        for byte in [0x84, 0x10, 0xef, 0x7b, 0x42] {
            let mut bytes = [byte; 32];
            bytes[31] = 0x0f;
            scalars.push(Scalar::from_canonical_bytes(bytes).unwrap());
        }
        for exponent in [4, 5, 29, 30, 64, 127, 251, 252] {
            let mut bytes = [0; 32];
            bytes[exponent / 8] = 1 << (exponent % 8);
            let power = Scalar::from_canonical_bytes(bytes).unwrap();
            scalars.extend([power, power - Scalar::ONE, -power]);
        }
        scalars
    }

    fn random(seed: usize) -> Scalar {
        Scalar::hash_from_bytes::<Sha512>(seed.to_string().as_bytes())
    }

    fn words(scalar: &Scalar) -> Words<9> {
        from_little_endian(scalar.as_bytes())
    }
}
