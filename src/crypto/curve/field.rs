//! Numbers modulo the prime of a curve's field, for points that are public.
//!
//! WebAssembly multiplies 64 by 64 bits to 64 and has no carry flag, which suits limbs of 29 bits: a column of a product
//! is a plain sum. Limbs and numbers have signs, so that a difference needs neither a carry nor a multiple of the prime.

use core::{marker::PhantomData, num::Wrapping};

use super::{
    inverse::{self, Modulus},
    words::{self, WORD_BITS, WORDS, Words},
};

/// A prime p of 255 or 256 bits, and the form in which numbers modulo it are kept.
pub(in crate::crypto) trait Prime: Copy + 'static {
    const MODULUS: Modulus;
    /// The prime itself.
    const LIMBS: Limbs;
    /// The form of 1.
    const ONE: Limbs;
    /// The product of this and a plain number is the number's form.
    const FORM: Limbs;
    /// The product of this and the plain inverse of a number's form is the form of the inverse.
    const INVERSE_FORM: Limbs;

    /// The product that these columns sum up, carried, and above -p/2 and below 3p/2 if the factors were below 4p.
    fn reduce(columns: Columns) -> Limbs;
}

/// A number modulo p, not reduced: several stand for one.
///
/// All are between -8p and 8p. "Carried" numbers have limbs from 0 to 2^29 (give or take 2^17), all but the highest, which
/// has the sign; a product is carried, and so is what [`Self::carried`] gives. A product's factors are such that the
/// product of their limbs stays below 3.5 * 2^58: one a difference of carried numbers, say, the other a sum of three.
#[derive(Clone, Copy, Debug)]
pub(in crate::crypto) struct Field<P>(Limbs, PhantomData<P>);

/// Nothing wraps in fact, see [`Field`].
pub(in crate::crypto) type Limb = Wrapping<i64>;

/// The least significant first.
pub(in crate::crypto) type Limbs = [Limb; LIMBS];

/// Sums of the products of limbs with the same weight, the least significant first.
pub(in crate::crypto) type Columns = [Limb; 2 * LIMBS - 1];

impl<P: Prime> Field<P> {
    pub(in crate::crypto) const ZERO: Self = Self::of([ZERO; LIMBS]);
    pub(in crate::crypto) const ONE: Self = Self::of(P::ONE);

    /// From the limbs of the number's form.
    pub(in crate::crypto) const fn of(limbs: Limbs) -> Self {
        Self(limbs, PhantomData)
    }

    /// From a number below the prime.
    #[inline(never)]
    pub(in crate::crypto) fn from_words(words: &Words) -> Self {
        Self::from_form(words).times(&Self::of(P::FORM))
    }

    /// The number in few bytes, for tables.
    #[inline(never)]
    pub(in crate::crypto) fn pack(&self) -> Packed {
        self.times(&Self::ONE).0.map(|limb| limb.0 as i32)
    }

    #[inline]
    pub(in crate::crypto) fn unpack(packed: &Packed) -> Self {
        Self::of(packed.map(|limb| Wrapping(limb.into())))
    }

    /// The product.
    #[inline(never)]
    pub(in crate::crypto) fn times(&self, other: &Self) -> Self {
        let [a0, a1, a2, a3, a4, a5, a6, a7, a8] = self.0;
        let [b0, b1, b2, b3, b4, b5, b6, b7, b8] = other.0;
        Self::of(P::reduce([
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
        ]))
    }

    /// The product with itself.
    #[inline(never)]
    pub(in crate::crypto) fn squared(&self) -> Self {
        let [a0, a1, a2, a3, a4, a5, a6, a7, a8] = self.0;
        // Each product of two different limbs counts twice.
        let [d1, d2, d3, d4, d5, d6, d7, d8] = [a1, a2, a3, a4, a5, a6, a7, a8].map(|limb| limb << 1);
        Self::of(P::reduce([
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
        ]))
    }

    /// The sum, not carried.
    #[inline]
    pub(in crate::crypto) fn plus(mut self, other: &Self) -> Self {
        for (limb, other) in self.0.iter_mut().zip(other.0) {
            *limb += other;
        }
        self
    }

    /// The difference, not carried.
    #[inline]
    pub(in crate::crypto) fn minus(mut self, other: &Self) -> Self {
        for (limb, other) in self.0.iter_mut().zip(other.0) {
            *limb -= other;
        }
        self
    }

    /// A carried number's negative counts as a difference.
    #[inline]
    pub(in crate::crypto) fn negated(&self) -> Self {
        Self::of(self.0.map(|limb| -limb))
    }

    /// Twice the number, not carried.
    #[inline]
    pub(in crate::crypto) fn doubled(&self) -> Self {
        self.plus(self)
    }

    /// The same number with carried limbs.
    #[inline]
    pub(in crate::crypto) fn carried(&self) -> Self {
        let [a0, a1, a2, a3, a4, a5, a6, a7, a8] = self.0;
        let a1 = a1 + (a0 >> LIMB_BITS);
        let a2 = a2 + (a1 >> LIMB_BITS);
        let a3 = a3 + (a2 >> LIMB_BITS);
        let a4 = a4 + (a3 >> LIMB_BITS);
        let a5 = a5 + (a4 >> LIMB_BITS);
        let a6 = a6 + (a5 >> LIMB_BITS);
        let a7 = a7 + (a6 >> LIMB_BITS);
        let a8 = a8 + (a7 >> LIMB_BITS);
        Self::of([a0 & MASK, a1 & MASK, a2 & MASK, a3 & MASK, a4 & MASK, a5 & MASK, a6 & MASK, a7 & MASK, a8])
    }

    /// Whether the number is 0 modulo the prime.
    #[inline(never)]
    pub(in crate::crypto) fn is_zero(&self) -> bool {
        self.to_form() == [0; WORDS]
    }

    /// [`Self::is_zero`] of a square, which nearly always costs one comparison.
    #[inline]
    pub(in crate::crypto) fn square_is_zero(&self) -> bool {
        // A square is above -p and below 3p, and carried.
        let (lowest, prime) = (self.0[0], P::LIMBS[0]);
        (lowest == ZERO || lowest == prime || lowest == (prime << 1) & MASK) && self.is_zero()
    }

    /// The inverse; 0 if the number is 0.
    #[inline(never)]
    pub(in crate::crypto) fn inverted(&self) -> Self {
        Self::from_form(&inverse::inverse(&self.to_form(), &P::MODULUS)).times(&Self::of(P::INVERSE_FORM))
    }

    /// The number's form, below the prime.
    #[inline(never)]
    pub(in crate::crypto) fn to_form(self) -> Words {
        // Above 0, and below 3p. Carried, as it may be below p, and then stays as it is.
        let mut number = self.times(&Self::ONE).plus(&Self::of(P::LIMBS)).carried();
        loop {
            let less = number.minus(&Self::of(P::LIMBS)).carried();
            if less.is_negative() {
                break;
            }
            number = less;
        }
        words::regroup(&number.0.map(|limb| limb.0 as u32), LIMB_BITS, WORD_BITS)
    }

    fn from_form(words: &Words) -> Self {
        Self::of(words::regroup(words, WORD_BITS, LIMB_BITS).map(|limb| Wrapping(limb.into())))
    }

    /// Of a carried number.
    fn is_negative(&self) -> bool {
        self.0[LIMBS - 1] < ZERO
    }
}

/// The limbs of a product by 1.
pub(in crate::crypto) type Packed = [i32; LIMBS];

pub(in crate::crypto) const LIMBS: usize = 9;
pub(in crate::crypto) const LIMB_BITS: usize = 29;
pub(in crate::crypto) const MASK: Limb = Wrapping((1 << LIMB_BITS) - 1);
pub(in crate::crypto) const ZERO: Limb = Wrapping(0);

/// A column's limb, and the carry into the next.
#[inline(always)]
pub(in crate::crypto) fn split(column: Limb) -> (Limb, Limb) {
    (column & MASK, column >> LIMB_BITS)
}

/// Limbs of a constant.
pub(in crate::crypto) const fn limbs([a, b, c, d, e, f, g, h, i]: [i64; LIMBS]) -> Limbs {
    [
        Wrapping(a),
        Wrapping(b),
        Wrapping(c),
        Wrapping(d),
        Wrapping(e),
        Wrapping(f),
        Wrapping(g),
        Wrapping(h),
        Wrapping(i),
    ]
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use ::rsa::BigUint;
    use proptest::prelude::*;

    use super::{
        super::{edwards25519::prime::P as Edwards25519, p256::prime::P as P256},
        *,
    };

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn arithmetic_is_that_of_large_numbers(a in limbs_below(3), b in limbs_below(1), choice in any::<u8>()) {
            arithmetic_is_right::<P256>(a, b, choice, BigUint::from(1_u8) << 261_usize);
            arithmetic_is_right::<Edwards25519>(a, b, choice, BigUint::from(1_u8));
        }
    }

    /// `radix` is what a product is divided by.
    fn arithmetic_is_right<P: Prime>(a: [i64; LIMBS], b: [i64; LIMBS], choice: u8, radix: BigUint) {
        let (a, b) = (Field::<P>::of(limbs(a)), Field::<P>::of(limbs(b)));
        // A small number now and then, and one that is 0 in another guise.
        let b = match choice {
            0 => Field::of(P::LIMBS),
            1 => Field::of(P::LIMBS).minus(&Field::ONE),
            2 => Field::ZERO,
            _ => b,
        };
        let prime = value::<P>(P::LIMBS);
        let inverse = |number: &BigUint| number.modpow(&(modulus::<P>() - 2_u8), &modulus::<P>());
        let divisor = inverse(&radix);
        assert_eq!(prime, BigUint::default());
        let product = a.times(&b);
        assert_eq!(value::<P>(product.0), value::<P>(a.0) * value::<P>(b.0) * &divisor % modulus::<P>());
        assert_eq!(value::<P>(b.squared().0), value::<P>(b.times(&b).0));
        assert_eq!(b.squared().square_is_zero(), value::<P>(b.0) == BigUint::default());
        assert_eq!(b.is_zero(), value::<P>(b.0) == BigUint::default());
        for number in [product, b.squared(), a.carried(), b.minus(&product).carried()] {
            let [carried @ .., _] = number.0;
            assert!(
                carried.iter().all(|limb| (-SURPLUS..(1 << LIMB_BITS) + SURPLUS).contains(&limb.0)),
                "{:?}",
                number.0
            );
        }
        assert_eq!(value::<P>(a.carried().0), value::<P>(a.0));
        let packed = Field::<P>::unpack(&b.pack());
        assert_eq!(value::<P>(packed.0), value::<P>(b.0));
        let form = b.to_form();
        assert!(form.iter().rev().lt(P::MODULUS.words().iter().rev()));
        assert_eq!(value::<P>(Field::<P>::from_form(&form).0), value::<P>(b.0));
        let inverted = value::<P>(b.inverted().0);
        assert_eq!(inverted, inverse(&(value::<P>(b.0) * &divisor % modulus::<P>())) * &radix % modulus::<P>());
    }

    #[test]
    fn negative_numbers_just_below_multiples_of_the_prime_have_their_form() {
        forms_below_multiples_are_right::<P256>();
        forms_below_multiples_are_right::<Edwards25519>();
    }

    /// Where a product by 1 is negative itself.
    fn forms_below_multiples_are_right<P: Prime>() {
        for times in 0..7 {
            for distance in 1..20 {
                let mut number = Field::<P>::of(limbs([-distance, 0, 0, 0, 0, 0, 0, 0, 0]));
                (0..times).for_each(|_| number = number.minus(&Field::of(P::LIMBS)));
                let number = number.carried();
                let form = Field::<P>::from_form(&number.to_form()).0;
                assert_eq!(value::<P>(form), modulus::<P>() - distance as u64, "{times} {distance}");
                let inverse = number.inverted();
                assert_eq!(value::<P>(inverse.times(&number).0), value::<P>(P::ONE), "{times} {distance}");
            }
        }
    }

    /// What edwards25519's reduction leaves without a carry.
    const SURPLUS: i64 = 1 << 17;

    /// Modulo the prime.
    fn value<P: Prime>(limbs: Limbs) -> BigUint {
        limbs.iter().rev().fold(BigUint::default(), |number, limb| {
            let limb = if limb.0 < 0 { modulus::<P>() - limb.0.unsigned_abs() } else { limb.0.unsigned_abs().into() };
            ((number << LIMB_BITS) + limb) % modulus::<P>()
        })
    }

    fn modulus<P: Prime>() -> BigUint {
        let words = P::MODULUS.words();
        words.iter().rev().fold(BigUint::default(), |number, word| (number << WORD_BITS) + *word)
    }

    /// Of a number between -8p and 8p, whose limbs are below so many times 2^29, often as large as they get.
    fn limbs_below(times: i64) -> impl Strategy<Value = [i64; LIMBS]> {
        let most = times << LIMB_BITS;
        let limb = prop_oneof![-most..most, Just(most), Just(-most), Just(0)];
        (prop::array::uniform8(limb), -(7_i64 << 24)..7_i64 << 24).prop_map(|(limbs, highest)| {
            let [a, b, c, d, e, f, g, h] = limbs;
            [a, b, c, d, e, f, g, h, highest]
        })
    }
}
