//! P-521 (SP 800-186 §3.2.1.5).

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
pub(in crate::crypto) struct P521;

#[derive(Clone, Copy, Debug)]
pub(in crate::crypto) struct P;

impl Curve<19> for P521 {
    type Prime = P;

    const BITS: usize = 521;
    const ORDER: Modulus<19> = Modulus::new(from_hex(
        "1ff ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff fffffffa \
         51868783 bf2f966b 7fcc0148 f709a5d0 3bb5c9b8 899c47ae bb6fb71e 91386409",
    ));
    const B: Words<19> = from_hex(
        "051 953eb961 8e1c9a1f 929a21a0 b68540ee a2da725b 99b315f3 b8b48991 8ef109e1 \
         56193951 ec7e937b 1652c0bd 3bb1bf07 3573df88 3d2c34f1 ef451fd4 6b503f00",
    );
    const GENERATOR: (Words<19>, Words<19>) = (
        from_hex(
            "0c6 858e06b7 0404e9cd 9e3ecb66 2395b442 9c648139 053fb521 f828af60 6b4d3dba \
             a14b5e77 efe75928 fe1dc127 a2ffa8de 3348b3c1 856a429b f97e7e31 c2e5bd66",
        ),
        from_hex(
            "118 39296a78 9a3bc004 5c8a5fb4 2c7d1bd9 98f54449 579b4468 17afbd17 273e662c \
             97ee7299 5ef42640 c550b901 3fad0761 353c7086 a272c240 88be9476 9fd16650",
        ),
    );

    fn table() -> &'static OnceLock<Table<Self, 19>> {
        static TABLE: OnceLock<Table<P521, 19>> = OnceLock::new();
        &TABLE
    }
}

impl Prime<19> for P {
    const MODULUS: Modulus<19> = Modulus::new(from_hex(
        "1ff ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff \
         ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff",
    ));
    const LIMB_BITS: usize = 28;
    const FORM_BITS: usize = 19 * Self::LIMB_BITS;

    #[inline(never)]
    fn times(a: &Limbs<19>, b: &Limbs<19>) -> Limbs<19> {
        times_sparsely(a, b, Self::LIMB_BITS, TERMS)
    }

    #[inline(always)]
    fn squared(a: &Limbs<19>) -> Limbs<19> {
        Self::times(a, a)
    }
}

/// The prime is 2^521 - 1.
pub(super) const TERMS: [Term; 1] = [term(1, 521, P::LIMB_BITS)];
