//! Points of the NIST curves, y^2 = x^3 - 3x + b (SP 800-186 §3.2.1).
//!
//! The number of a curve's points is a prime, so that every point but zero, the one at infinity, has that order, and
//! none is its own negative.

use core::marker::PhantomData;
use std::sync::OnceLock;

use super::{
    Group, Table,
    field::{Field, Limbs, Packed, Prime},
    inverse::{self, Modulus},
    montgomery,
    words::{WORD_BITS, Words, subtract},
};

/// A curve over the field of a prime that is 3 modulo 4.
pub(in crate::crypto) trait Curve<const N: usize>: Copy + 'static {
    type Prime: Prime<N>;

    /// The length of the prime, and of the order.
    const BITS: usize;
    /// The number of points, which is below the prime.
    const ORDER: Modulus<N>;
    const B: Words<N>;
    const GENERATOR: (Words<N>, Words<N>);

    /// Where the generator's multiples are kept.
    fn table() -> &'static OnceLock<Table<Self, N>>;
}

/// A point by its coordinates, which is not the one at infinity.
#[cfg_attr(test, derive(Clone))]
pub(in crate::crypto) struct Affine<const N: usize> {
    x: Packed<N>,
    y: Packed<N>,
}

/// A point as x = X / Z^2 and y = Y / Z^3 (Jacobian coordinates), or the one at infinity.
#[derive(Clone)]
pub(in crate::crypto) struct Point<P, const N: usize> {
    x: Field<P, N>,
    y: Field<P, N>,
    /// None at infinity.
    z: Option<Field<P, N>>,
}

impl<const N: usize> Affine<N> {
    /// From the coordinates. None unless they are below the field's prime, and the point is on the curve.
    pub(in crate::crypto) fn from_coordinates<C: Curve<N>>(x: &Words<N>, y: &Words<N>) -> Option<Self> {
        let prime = C::Prime::MODULUS.words();
        if !is_less(x, prime) || !is_less(y, prime) {
            return None;
        }
        let (x, y) = (Field::from_words(x), Field::from_words(y));
        is_root::<C, N>(&y, &y_squared::<C, N>(&x)).then(|| Self { x: x.pack(), y: y.pack() })
    }

    /// From x and whether y is odd. None unless x is below the field's prime, and there is such a point.
    pub(in crate::crypto) fn from_x<C: Curve<N>>(x: &Words<N>, y_is_odd: bool) -> Option<Self> {
        let prime = C::Prime::MODULUS.words();
        if !is_less(x, prime) {
            return None;
        }
        let x = Field::<C::Prime, N>::from_words(x);
        let square = y_squared::<C, N>(&x);
        // A root, where there is one, is the power by (p + 1) / 4: by p without its two lowest bits, and by 1.
        let mut y = Field::ONE;
        for place in (2..C::BITS).rev() {
            y = y.squared();
            let word = prime.get(place / WORD_BITS).copied().unwrap_or_default();
            if word.wrapping_shr((place % WORD_BITS) as u32) & 1 == 1 {
                y = y.times(&square);
            }
        }
        let y = y.times(&square);
        let is_odd = y.to_words().first().is_some_and(|lowest| lowest & 1 == 1);
        is_root::<C, N>(&y, &square)
            .then(|| Self { x: x.pack(), y: if is_odd == y_is_odd { y.pack() } else { y.negated().pack() } })
    }
}

/// Carried.
#[inline(never)]
fn y_squared<C: Curve<N>, const N: usize>(x: &Field<C::Prime, N>) -> Field<C::Prime, N> {
    let three = Field::ONE.plus(&Field::ONE.doubled());
    x.squared().minus(&three).carried().times(x).plus(&Field::from_words(&C::B)).carried()
}

fn is_root<C: Curve<N>, const N: usize>(root: &Field<C::Prime, N>, square: &Field<C::Prime, N>) -> bool {
    root.squared().minus(square).is_zero()
}

impl<P: Prime<N>, const N: usize> Point<P, N> {
    /// Whether the point's x is this number, modulo the order of the group, below which the number is.
    pub(in crate::crypto) fn has_x<C: Curve<N, Prime = P>>(&self, number: &Words<N>) -> bool {
        let Some(z) = self.z else {
            return false;
        };
        let zz = z.squared();
        let is = |x: Field<P, N>| zz.times(&x).minus(&self.x).is_zero();
        let x = Field::from_words(number);
        let mut above_order = *P::MODULUS.words();
        subtract(&mut above_order, C::ORDER.words());
        // x may be the number plus the order, if that is still below the field's prime.
        is(x) || is_less(number, &above_order) && is(x.plus(&Field::from_words(C::ORDER.words())))
    }
}

impl<C: Curve<N>, const N: usize> Group<N> for C {
    type Prime = C::Prime;
    type Sum = Point<C::Prime, N>;
    type Fixed = Affine<N>;

    const SCALAR_BITS: usize = C::BITS;

    #[inline(never)]
    fn zero() -> Self::Sum {
        Point { x: Field::ONE, y: Field::ONE, z: None }
    }

    fn add(sum: &mut Self::Sum, point: &Affine<N>, negative: bool) {
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

    fn double(sum: &mut Self::Sum) {
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

    fn denominator(sum: &Self::Sum) -> Field<C::Prime, N> {
        sum.z.unwrap_or(Field::ONE)
    }

    #[inline(never)]
    fn fixed(sum: &Self::Sum, inverse: &Field<C::Prime, N>) -> Affine<N> {
        let square = inverse.squared();
        Affine { x: sum.x.times(&square).pack(), y: sum.y.times(&square.times(inverse)).pack() }
    }
}

/// The generator's multiples, made when they are first asked for.
pub(in crate::crypto) fn generator<C: Curve<N>, const N: usize>() -> &'static Table<C, N> {
    C::table().get_or_init(|| {
        let (x, y) =
            (Field::<C::Prime, N>::from_words(&C::GENERATOR.0), Field::<C::Prime, N>::from_words(&C::GENERATOR.1));
        Table::large(&Affine { x: x.pack(), y: y.pack() })
    })
}

/// Whether the number is from 1 to below the order of the group.
pub(in crate::crypto) fn is_scalar<C: Curve<N>, const N: usize>(number: &Words<N>) -> bool {
    *number != [0; N] && is_less(number, C::ORDER.words())
}

/// Numbers of at most as many bits as the order, divided by a scalar modulo the order.
pub(in crate::crypto) fn quotients<C: Curve<N>, const N: usize>(
    numbers: [&Words<N>; 2],
    scalar: &Words<N>,
) -> [Words<N>; 2] {
    let inverse = Field::<Order<C>, N>::from_words(&inverse::inverse(scalar, &C::ORDER));
    // The product of a plain number and a form is plain.
    numbers.map(|number| Field::from_form(number).times(&inverse).to_form())
}

/// Numbers modulo the order of a curve's group, whose factors are carried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order<C>(PhantomData<C>);

impl<C: Curve<N>, const N: usize> Prime<N> for Order<C> {
    const MODULUS: Modulus<N> = C::ORDER;
    const LIMB_BITS: usize = C::Prime::LIMB_BITS;
    const FORM_BITS: usize = N * Self::LIMB_BITS;

    #[inline(always)]
    fn times(a: &Limbs<N>, b: &Limbs<N>) -> Limbs<N> {
        montgomery::times_densely(a, b, Self::LIMB_BITS, &Self::LIMBS, C::ORDER.negated_inverse())
    }

    #[inline(always)]
    fn squared(a: &Limbs<N>) -> Limbs<N> {
        Self::times(a, a)
    }
}

fn is_less<const N: usize>(a: &Words<N>, b: &Words<N>) -> bool {
    a.iter().rev().lt(b.iter().rev())
}

#[cfg(test)]
mod tests;
