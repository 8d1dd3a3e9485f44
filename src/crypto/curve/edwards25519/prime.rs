//! edwards25519's prime, p = 2^255 - 19.

use core::num::Wrapping;

use crate::crypto::curve::{
    field::{Limb, Limbs, Prime, mask},
    inverse::Modulus,
    product::{self, Columns},
    words::from_hex,
};

#[derive(Clone, Copy, Debug)]
pub(in crate::crypto) struct P;

impl Prime<9> for P {
    const MODULUS: Modulus<9> =
        Modulus::new(from_hex("7fffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffffed"));
    const LIMB_BITS: usize = 29;
    const FORM_BITS: usize = 0;

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
    let (h0, carry) = split(c9);
    let (h1, carry) = split(c10 + carry);
    let (h2, carry) = split(c11 + carry);
    let (h3, carry) = split(c12 + carry);
    let (h4, carry) = split(c13 + carry);
    let (h5, carry) = split(c14 + carry);
    let (h6, carry) = split(c15 + carry);
    let (h7, carry) = split(c16 + carry);
    let h8 = carry;
    let (r0, carry) = split(c0 + h0 * FOLD);
    let (r1, carry) = split(c1 + carry + h1 * FOLD);
    let (r2, carry) = split(c2 + carry + h2 * FOLD);
    let (r3, carry) = split(c3 + carry + h3 * FOLD);
    let (r4, carry) = split(c4 + carry + h4 * FOLD);
    let (r5, carry) = split(c5 + carry + h5 * FOLD);
    let (r6, carry) = split(c6 + carry + h6 * FOLD);
    let (r7, carry) = split(c7 + carry + h7 * FOLD);
    let r8 = c8 + carry + h8 * FOLD;
    // The highest limb has 23 bits below 2^255.
    let (r0, carry) = split(r0 + (r8 >> 23) * NINETEEN);
    [r0, r1 + carry, r2, r3, r4, r5, r6, r7, r8 & HIGHEST_MASK]
}

/// A column's limb, and the carry into the next.
#[inline(always)]
fn split(column: Limb) -> (Limb, Limb) {
    (column & mask(P::LIMB_BITS), column >> P::LIMB_BITS)
}

/// 2^261 modulo p.
const FOLD: Limb = Wrapping(19 << 6);
const NINETEEN: Limb = Wrapping(19);
const HIGHEST_MASK: Limb = Wrapping((1 << 23) - 1);
