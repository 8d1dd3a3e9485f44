//! P-256's prime, p = 2^256 - 2^224 + 2^192 + 2^96 - 1.
//!
//! A number x is kept as x * 2^261 (Montgomery's form). p is -1 modulo 2^96: the multiple of p that makes a column zero
//! is the column's own lowest bits, and p times a limb is four shifts.

use crate::crypto::curve::{
    field::{Columns, Limbs, Prime, limbs, split},
    inverse::Modulus,
};

#[derive(Clone, Copy, Debug)]
pub(in crate::crypto) struct P;

impl Prime for P {
    const MODULUS: Modulus = Modulus {
        words: [0x3fff_ffff, 0x3fff_ffff, 0x3fff_ffff, 0x3f, 0, 0, 0x1000, 0x3fff_c000, 0xffff],
        inverse: 0x3fff_ffff,
    };
    const LIMBS: Limbs = limbs([0x1fff_ffff, 0x1fff_ffff, 0x1fff_ffff, 0x1ff, 0, 0, 0x4_0000, 0x1fe0_0000, 0xff_ffff]);
    const ONE: Limbs = limbs([0x20, 0, 0, 0x1fff_c000, 0x1fff_ffff, 0x1fff_ffff, 0x1f7f_ffff, 0x3ff_ffff, 0]);
    const FORM: Limbs =
        limbs([0xc00, 0, 0x1fff_0000, 0x1fdf_ffff, 0x1fbf_ffff, 0x1fff_ffff, 0x1fff_ffff, 0x1fff_fffe, 0x13]);
    const INVERSE_FORM: Limbs =
        limbs([0x5_0000, 0x1ff4_0000, 0x1eff_ffff, 0xdff_ffff, 0x7ff_ffff, 0x1fff_ffff, 0xb, 0x10, 0xc00]);

    #[inline(always)]
    fn reduce(columns: Columns) -> Limbs {
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
}
