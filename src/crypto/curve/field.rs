//! Numbers modulo the prime of a curve's field, or another, for points that are public.
//!
//! WebAssembly multiplies 64 by 64 bits to 64 and has no carry flag, which suits limbs of 28 or 29 bits: a column of a
//! product is a plain sum. Limbs and numbers have signs, so that a difference needs neither a carry nor a multiple of the
//! prime.

use core::{marker::PhantomData, num::Wrapping};

use super::{
    inverse::{self, Modulus},
    words::{self, WORD_BITS, Words},
};

/// A prime p, and the form in which numbers modulo it are kept.
pub(in crate::crypto) trait Prime<const N: usize>: Copy + 'static {
    const MODULUS: Modulus<N>;
    const LIMB_BITS: usize;
    /// The form of a number is the number times 2 to this.
    const FORM_BITS: usize;

    /// The prime itself.
    const LIMBS: Limbs<N> = limbs(Self::MODULUS.words(), Self::LIMB_BITS);
    /// The form of 1.
    const ONE: Limbs<N> = limbs(&Self::MODULUS.power_of_two(Self::FORM_BITS), Self::LIMB_BITS);
    /// The product of this and a plain number is the number's form.
    const FORM: Limbs<N> = limbs(&Self::MODULUS.power_of_two(Self::FORM_BITS * 2), Self::LIMB_BITS);
    /// The product of this and the plain inverse of a number's form is the form of the inverse.
    const INVERSE_FORM: Limbs<N> = limbs(&Self::MODULUS.power_of_two(Self::FORM_BITS * 3), Self::LIMB_BITS);

    /// The form of the product, carried, and above -p/2 and below 3p/2 if the factors were below 4p.
    fn times(a: &Limbs<N>, b: &Limbs<N>) -> Limbs<N>;

    /// The same of the product with itself.
    fn squared(a: &Limbs<N>) -> Limbs<N>;
}

/// A number modulo p, not reduced: several stand for one.
///
/// All are between -8p and 8p. "Carried" numbers have limbs from 0 to 2^[`LIMB_BITS`](Prime::LIMB_BITS) (give or take
/// 2^17), all but the highest, which has the sign; a product is carried, and so is what [`Self::carried`] gives. A
/// product's factors are such that the product of their limbs stays below 3.5 * 2^(2 [`LIMB_BITS`](Prime::LIMB_BITS)):
/// one a difference of carried numbers, say, the other a sum of three.
#[derive(Clone, Copy, Debug)]
pub(in crate::crypto) struct Field<P, const N: usize>(Limbs<N>, PhantomData<P>);

/// Nothing wraps in fact, see [`Field`].
pub(in crate::crypto) type Limb = Wrapping<i64>;

/// The least significant first.
pub(in crate::crypto) type Limbs<const N: usize> = [Limb; N];

impl<P: Prime<N>, const N: usize> Field<P, N> {
    pub(in crate::crypto) const ZERO: Self = Self::of([ZERO; N]);
    pub(in crate::crypto) const ONE: Self = Self::of(P::ONE);

    /// From the limbs of the number's form.
    pub(in crate::crypto) const fn of(limbs: Limbs<N>) -> Self {
        Self(limbs, PhantomData)
    }

    /// From a number below the prime.
    #[inline(never)]
    pub(in crate::crypto) fn from_words(words: &Words<N>) -> Self {
        Self::from_form(words).times(&Self::of(P::FORM))
    }

    /// From a number's form.
    pub(in crate::crypto) fn from_form(words: &Words<N>) -> Self {
        Self::of(words::regroup(words, WORD_BITS, P::LIMB_BITS).map(|limb| Wrapping(limb.into())))
    }

    /// The number in few bytes, for tables.
    #[inline(never)]
    pub(in crate::crypto) fn pack(&self) -> Packed<N> {
        self.times(&Self::ONE).0.map(|limb| limb.0 as i32)
    }

    #[inline]
    pub(in crate::crypto) fn unpack(packed: &Packed<N>) -> Self {
        Self::of(packed.map(|limb| Wrapping(limb.into())))
    }

    /// The product.
    #[inline(never)]
    pub(in crate::crypto) fn times(&self, other: &Self) -> Self {
        Self::of(P::times(&self.0, &other.0))
    }

    /// The product with itself.
    #[inline(never)]
    pub(in crate::crypto) fn squared(&self) -> Self {
        Self::of(P::squared(&self.0))
    }

    /// The sum, not carried.
    #[inline]
    pub(in crate::crypto) fn plus(mut self, other: &Self) -> Self {
        if N > INLINED {
            add(&mut self.0, &other.0);
        } else {
            for (limb, other) in self.0.iter_mut().zip(other.0) {
                *limb += other;
            }
        }
        self
    }

    /// The difference, not carried.
    #[inline]
    pub(in crate::crypto) fn minus(mut self, other: &Self) -> Self {
        if N > INLINED {
            subtract(&mut self.0, &other.0);
        } else {
            for (limb, other) in self.0.iter_mut().zip(other.0) {
                *limb -= other;
            }
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
        Self::of(carried(self.0, P::LIMB_BITS))
    }

    /// Whether the number is 0 modulo the prime.
    #[inline(never)]
    pub(in crate::crypto) fn is_zero(&self) -> bool {
        self.to_form() == [0; N]
    }

    /// [`Self::is_zero`] of a square, which nearly always costs one comparison.
    #[inline]
    pub(in crate::crypto) fn square_is_zero(&self) -> bool {
        // A square is above -p and below 3p, and carried.
        let (Some(lowest), Some(prime)) = (self.0.first(), P::LIMBS.first()) else {
            return true;
        };
        (*lowest == ZERO || lowest == prime || *lowest == (prime << 1) & mask(P::LIMB_BITS)) && self.is_zero()
    }

    /// The inverse; 0 if the number is 0.
    #[inline(never)]
    pub(in crate::crypto) fn inverted(&self) -> Self {
        Self::from_form(&inverse::inverse(&self.to_form(), &P::MODULUS)).times(&Self::of(P::INVERSE_FORM))
    }

    /// The number's form, below the prime.
    #[inline(never)]
    pub(in crate::crypto) fn to_form(self) -> Words<N> {
        // Above 0, and below 3p. Carried, as it may be below p, and then stays as it is.
        let mut number = self.times(&Self::ONE).plus(&Self::of(P::LIMBS)).carried();
        loop {
            let less = number.minus(&Self::of(P::LIMBS)).carried();
            if less.is_negative() {
                break;
            }
            number = less;
        }
        words::regroup(&number.0.map(|limb| limb.0 as u32), P::LIMB_BITS, WORD_BITS)
    }

    /// The number itself, below the prime.
    pub(in crate::crypto) fn to_words(self) -> Words<N> {
        // The form of a number times a plain 1 is the plain number.
        self.times(&Self::from_form(&words::from_hex("1"))).to_form()
    }

    /// Of a carried number.
    fn is_negative(&self) -> bool {
        self.0.last().is_some_and(|highest| *highest < ZERO)
    }
}

/// The limbs of a product by 1.
pub(in crate::crypto) type Packed<const N: usize> = [i32; N];

pub(in crate::crypto) const ZERO: Limb = Wrapping(0);

/// Numbers of more limbs are added by calls: the module's size counts for more than their time.
const INLINED: usize = 9;

#[inline(never)]
fn add(limbs: &mut [Limb], others: &[Limb]) {
    for (limb, other) in limbs.iter_mut().zip(others) {
        *limb += *other;
    }
}

#[inline(never)]
fn subtract(limbs: &mut [Limb], others: &[Limb]) {
    for (limb, other) in limbs.iter_mut().zip(others) {
        *limb -= *other;
    }
}

/// The lowest bits of a limb.
pub(in crate::crypto) const fn mask(bits: usize) -> Limb {
    Wrapping(1_i64.wrapping_shl(bits as u32).wrapping_sub(1))
}

/// The same number with carried limbs.
#[inline]
pub(in crate::crypto) fn carried<const N: usize>(mut limbs: Limbs<N>, bits: usize) -> Limbs<N> {
    if N > INLINED {
        carry_by_call(&mut limbs, bits);
    } else {
        carry(&mut limbs, bits);
    }
    limbs
}

#[inline(never)]
fn carry_by_call(limbs: &mut [Limb], bits: usize) {
    carry(limbs, bits);
}

#[inline(always)]
fn carry(limbs: &mut [Limb], bits: usize) {
    if let Some((highest, others)) = limbs.split_last_mut() {
        let mut carry = ZERO;
        for limb in others {
            *limb += carry;
            carry = *limb >> bits;
            *limb &= mask(bits);
        }
        *highest += carry;
    }
}

/// The limbs of a constant.
pub(in crate::crypto) const fn limbs<const N: usize>(words: &Words<N>, bits: usize) -> Limbs<N> {
    let digits: [u32; N] = words::regroup(words, WORD_BITS, bits);
    let mut limbs = [ZERO; N];
    let (mut places, mut digits) = (limbs.as_mut_slice(), digits.as_slice());
    while let ([place, rest @ ..], [digit, others @ ..]) = (places, digits) {
        *place = Wrapping(*digit as i64);
        (places, digits) = (rest, others);
    }
    limbs
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
