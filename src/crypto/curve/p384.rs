//! P-384 (SP 800-186 §3.2.1.4).

use std::sync::OnceLock;

use super::{
    Table,
    field::{Limbs, Prime},
    inverse::Modulus,
    montgomery::{Term, term, times_sparsely},
    weierstrass::Curve,
    words::{Words, from_hex},
};

#[derive(Clone, Copy, Debug)]
pub(in crate::crypto) struct P384;

#[derive(Clone, Copy, Debug)]
pub(in crate::crypto) struct P;

impl Curve<14> for P384 {
    type Prime = P;

    const BITS: usize = 384;
    const ORDER: Modulus<14> = Modulus::new(from_hex(
        "ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff c7634d81 f4372ddf 581a0db2 48b0a77a ecec196a ccc52973",
    ));
    const B: Words<14> = from_hex(
        "b3312fa7 e23ee7e4 988e056b e3f82d19 181d9c6e fe814112 0314088f 5013875a c656398d 8a2ed19d 2a85c8ed d3ec2aef",
    );
    const GENERATOR: (Words<14>, Words<14>) = (
        from_hex(
            "aa87ca22 be8b0537 8eb1c71e f320ad74 6e1d3b62 8ba79b98 59f741e0 82542a38 5502f25d bf55296c 3a545e38 72760ab7",
        ),
        from_hex(
            "3617de4a 96262c6f 5d9e98bf 9292dc29 f8f41dbd 289a147c e9da3113 b5f0b8c0 0a60b1ce 1d7e819d 7a431d7c 90ea0e5f",
        ),
    );

    fn table() -> &'static OnceLock<Table<Self, 14>> {
        static TABLE: OnceLock<Table<P384, 14>> = OnceLock::new();
        &TABLE
    }
}

impl Prime<14> for P {
    const MODULUS: Modulus<14> = Modulus::new(from_hex(
        "ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff fffffffe ffffffff 00000000 00000000 ffffffff",
    ));
    const LIMB_BITS: usize = 28;
    const FORM_BITS: usize = 14 * Self::LIMB_BITS;

    #[inline(never)]
    fn times(a: &Limbs<14>, b: &Limbs<14>) -> Limbs<14> {
        times_sparsely(a, b, Self::LIMB_BITS, TERMS)
    }

    #[inline(always)]
    fn squared(a: &Limbs<14>) -> Limbs<14> {
        Self::times(a, a)
    }
}

/// The prime is 2^384 - 2^128 - 2^96 + 2^32 - 1.
pub(super) const TERMS: [Term; 4] =
    [term(1, 384, P::LIMB_BITS), term(-1, 128, P::LIMB_BITS), term(-1, 96, P::LIMB_BITS), term(1, 32, P::LIMB_BITS)];
