//! Products of numbers of nine limbs, written out: most verifications are on curves of 256 bits.

use super::field::{Limb, Limbs};

/// Sums of the products of limbs with the same weight, the least significant first.
pub(super) type Columns = [Limb; 17];

#[inline(always)]
pub(super) fn times(a: &Limbs<9>, b: &Limbs<9>) -> Columns {
    let [a0, a1, a2, a3, a4, a5, a6, a7, a8] = *a;
    let [b0, b1, b2, b3, b4, b5, b6, b7, b8] = *b;
    [
        a0 * b0,
        a0 * b1 + a1 * b0,
        a0 * b2 + a1 * b1 + a2 * b0,
        a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0,
        a0 * b4 + a1 * b3 + a2 * b2 + a3 * b1 + a4 * b0,
        a0 * b5 + a1 * b4 + a2 * b3 + a3 * b2 + a4 * b1 + a5 * b0,
        a0 * b6 + a1 * b5 + a2 * b4 + a3 * b3 + a4 * b2 + a5 * b1 + a6 * b0,
        a0 * b7 + a1 * b6 + a2 * b5 + a3 * b4 + a4 * b3 + a5 * b2 + a6 * b1 + a7 * b0,
        a0 * b8 + a1 * b7 + a2 * b6 + a3 * b5 + a4 * b4 + a5 * b3 + a6 * b2 + a7 * b1 + a8 * b0,
        a1 * b8 + a2 * b7 + a3 * b6 + a4 * b5 + a5 * b4 + a6 * b3 + a7 * b2 + a8 * b1,
        a2 * b8 + a3 * b7 + a4 * b6 + a5 * b5 + a6 * b4 + a7 * b3 + a8 * b2,
        a3 * b8 + a4 * b7 + a5 * b6 + a6 * b5 + a7 * b4 + a8 * b3,
        a4 * b8 + a5 * b7 + a6 * b6 + a7 * b5 + a8 * b4,
        a5 * b8 + a6 * b7 + a7 * b6 + a8 * b5,
        a6 * b8 + a7 * b7 + a8 * b6,
        a7 * b8 + a8 * b7,
        a8 * b8,
    ]
}

#[inline(always)]
pub(super) fn squared(a: &Limbs<9>) -> Columns {
    let [a0, a1, a2, a3, a4, a5, a6, a7, a8] = *a;
    // Each product of two different limbs counts twice.
    let [d1, d2, d3, d4, d5, d6, d7, d8] = [a1, a2, a3, a4, a5, a6, a7, a8].map(|limb| limb << 1);
    [
        a0 * a0,
        a0 * d1,
        a0 * d2 + a1 * a1,
        a0 * d3 + a1 * d2,
        a0 * d4 + a1 * d3 + a2 * a2,
        a0 * d5 + a1 * d4 + a2 * d3,
        a0 * d6 + a1 * d5 + a2 * d4 + a3 * a3,
        a0 * d7 + a1 * d6 + a2 * d5 + a3 * d4,
        a0 * d8 + a1 * d7 + a2 * d6 + a3 * d5 + a4 * a4,
        a1 * d8 + a2 * d7 + a3 * d6 + a4 * d5,
        a2 * d8 + a3 * d7 + a4 * d6 + a5 * a5,
        a3 * d8 + a4 * d7 + a5 * d6,
        a4 * d8 + a5 * d7 + a6 * a6,
        a5 * d8 + a6 * d7,
        a6 * d8 + a7 * a7,
        a7 * d8,
        a8 * a8,
    ]
}
