//! P-256 (SP 800-186 §3.2.1.3).
//!
//! Its prime is 2^256 - 2^224 + 2^192 + 2^96 - 1, which is -1 modulo 2^96: the multiple of it that makes a column zero is
//! the column's own lowest bits, and the prime times a limb is four shifts.

use std::sync::OnceLock;

use super::{
    Table,
    field::{Limb, Limbs, Prime, mask},
    inverse::Modulus,
    product::{self, Columns},
    weierstrass::Curve,
    words::{Words, from_hex},
};

#[derive(Clone, Copy, Debug)]
pub(in crate::crypto) struct P256;

#[derive(Clone, Copy, Debug)]
pub(in crate::crypto) struct P;

impl Curve<9> for P256 {
    type Prime = P;

    const BITS: usize = 256;
    const ORDER: Modulus<9> =
        Modulus::new(from_hex("ffffffff 00000000 ffffffff ffffffff bce6faad a7179e84 f3b9cac2 fc632551"));
    const B: Words<9> = from_hex("5ac635d8 aa3a93e7 b3ebbd55 769886bc 651d06b0 cc53b0f6 3bce3c3e 27d2604b");
    const GENERATOR: (Words<9>, Words<9>) = (
        from_hex("6b17d1f2 e12c4247 f8bce6e5 63a440f2 77037d81 2deb33a0 f4a13945 d898c296"),
        from_hex("4fe342e2 fe1a7f9b 8ee7eb4a 7c0f9e16 2bce3357 6b315ece cbb64068 37bf51f5"),
    );

    fn table() -> &'static OnceLock<Table<Self, 9>> {
        static TABLE: OnceLock<Table<P256, 9>> = OnceLock::new();
        &TABLE
    }
}

impl Prime<9> for P {
    const MODULUS: Modulus<9> =
        Modulus::new(from_hex("ffffffff 00000001 00000000 00000000 00000000 ffffffff ffffffff ffffffff"));
    const LIMB_BITS: usize = 29;
    const FORM_BITS: usize = 9 * Self::LIMB_BITS;

    #[inline(always)]
    fn times(a: &Limbs<9>, b: &Limbs<9>) -> Limbs<9> {
        reduce(product::times(a, b))
    }

    #[inline(always)]
    fn squared(a: &Limbs<9>) -> Limbs<9> {
        reduce(product::squared(a))
    }
}

#[inline(always)]
fn reduce(columns: Columns) -> Limbs<9> {
    let [c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16] = columns;
    let (q0, carry) = split(c0);
    let (q1, carry) = split(c1 + carry);
    let (q2, carry) = split(c2 + carry);
    let (q3, carry) = split(c3 + carry + (q0 << 9));
    let (q4, carry) = split(c4 + carry + (q1 << 9));
    let (q5, carry) = split(c5 + carry + (q2 << 9));
    let (q6, carry) = split(c6 + carry + (q3 << 9) + (q0 << 18));
    let (q7, carry) = split(c7 + carry + (q4 << 9) + (q1 << 18) - (q0 << 21));
    let (q8, carry) = split(c8 + carry + (q5 << 9) + (q2 << 18) - (q1 << 21) + (q0 << 24));
    let (r0, carry) = split(c9 + carry + (q6 << 9) + (q3 << 18) - (q2 << 21) + (q1 << 24));
    let (r1, carry) = split(c10 + carry + (q7 << 9) + (q4 << 18) - (q3 << 21) + (q2 << 24));
    let (r2, carry) = split(c11 + carry + (q8 << 9) + (q5 << 18) - (q4 << 21) + (q3 << 24));
    let (r3, carry) = split(c12 + carry + (q6 << 18) - (q5 << 21) + (q4 << 24));
    let (r4, carry) = split(c13 + carry + (q7 << 18) - (q6 << 21) + (q5 << 24));
    let (r5, carry) = split(c14 + carry + (q8 << 18) - (q7 << 21) + (q6 << 24));
    let (r6, carry) = split(c15 + carry - (q8 << 21) + (q7 << 24));
    let (r7, carry) = split(c16 + carry + (q8 << 24));
    [r0, r1, r2, r3, r4, r5, r6, r7, carry]
}

/// A column's limb, and the carry into the next.
#[inline(always)]
fn split(column: Limb) -> (Limb, Limb) {
    (column & mask(P::LIMB_BITS), column >> P::LIMB_BITS)
}
