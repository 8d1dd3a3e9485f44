//! Montgomery's multiplication in few instructions, for what is not verified often enough to be worth many.
//!
//! The product of a and b is summed up by rows, a limb of a times b, the least significant first. After each row the
//! multiple of the modulus is added that makes the lowest column zero, and all columns move down by one.
//!
//! No column overflows: before it is the lowest it takes up N products of limbs, each below 3.5 * 2^56, and as many of a
//! multiple's limbs, each below 2^56 in sum, and one carry below 2^36, which together are below 86 * 2^56 for N = 19. (In
//! limbs of 29 bits, of which there are nine, factors have to be carried.)

use core::{iter, num::Wrapping};

use super::field::{self, Limb, Limbs, ZERO};

/// What a limb of a prime, plus 1, is: its place from 1 up, and its value, which may be negative.
pub(super) type Term = (usize, Limb);

/// A power of two in a prime, in limbs of `bits` bits.
pub(super) const fn term(sign: i64, exponent: usize, bits: usize) -> Term {
    (exponent.div_euclid(bits), Wrapping(sign.wrapping_shl(exponent.rem_euclid(bits) as u32)))
}

/// Modulo a prime that is -1 and a few powers of two, so that the multiple of it is the lowest column itself.
#[inline(always)]
pub(super) fn times_sparsely<const N: usize, const TERMS: usize>(
    a: &Limbs<N>,
    b: &Limbs<N>,
    bits: usize,
    terms: [Term; TERMS],
) -> Limbs<N> {
    times(a, b, bits, |columns, lowest| {
        let multiple = lowest & field::mask(bits);
        for (place, value) in terms {
            if let Some(column) = columns.get_mut(place.wrapping_sub(1)) {
                *column += multiple * value;
            }
        }
        lowest - multiple
    })
}

/// Modulo any odd number, with minus its inverse.
#[inline(always)]
pub(super) fn times_densely<const N: usize>(
    a: &Limbs<N>,
    b: &Limbs<N>,
    bits: usize,
    limbs: &Limbs<N>,
    negated_inverse: i32,
) -> Limbs<N> {
    times(a, b, bits, |columns, lowest| {
        let multiple = (lowest & field::mask(bits)) * Wrapping(negated_inverse.into());
        let multiple = multiple & field::mask(bits);
        let mut lowest = lowest;
        for (column, limb) in iter::once(&mut lowest).chain(columns).zip(limbs) {
            *column += multiple * *limb;
        }
        lowest
    })
}

/// `clear` makes the lowest column zero but for its carry, given the others.
#[inline(always)]
fn times<const N: usize>(
    a: &Limbs<N>,
    b: &Limbs<N>,
    bits: usize,
    clear: impl Fn(&mut Limbs<N>, Limb) -> Limb,
) -> Limbs<N> {
    let mut columns = [ZERO; N];
    for limb in a {
        let mut lowest = ZERO;
        let mut lower = &mut lowest;
        for (column, other) in columns.iter_mut().zip(b) {
            *lower = *column + *limb * *other;
            lower = column;
        }
        *lower = ZERO;
        let carry = clear(&mut columns, lowest) >> bits;
        if let Some(lowest) = columns.first_mut() {
            *lowest += carry;
        }
    }
    field::carried(columns, bits)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{p256::P256, p384, p521, weierstrass::Curve},
        *,
    };
    use crate::test::test;

    test!(no_column_overflows, {
        // Of limbs of 28 bits, in both reductions.
        let most = 7 << 55;
        assert!(largest_column::<14>(most, 28, &magnitudes(&p384::TERMS)) < LIMIT);
        assert!(largest_column::<19>(most, 28, &magnitudes(&p521::TERMS)) < LIMIT);
        assert!(largest_column::<14>(most, 28, &[1 << 28; 14]) < LIMIT);
        assert!(largest_column::<19>(most, 28, &[1 << 28; 19]) < LIMIT);
        // Of carried limbs of 29 bits, modulo the order of P-256.
        let order: Limbs<9> = field::limbs(P256::ORDER.words(), 29);
        assert!(largest_column::<9>(1 << 58, 29, &order.map(|limb| limb.0.into())) < LIMIT);
        // Not with the factors that the other reductions take.
        assert!(largest_column::<9>(most << 2, 29, &[1 << 29; 9]) > LIMIT);
    });

    /// The magnitude that no column exceeds, given that of a product of two limbs and those of the modulus' limbs.
    fn largest_column<const N: usize>(product: i128, bits: usize, modulus: &[i128; N]) -> i128 {
        let (mut columns, mut largest) = ([0; N], 0);
        for _ in 0..N {
            for (column, limb) in columns.iter_mut().zip(modulus) {
                *column += product + (limb << bits);
                largest = largest.max(*column);
            }
            let carry = (columns[0] >> bits) + 1;
            columns.rotate_left(1);
            columns[N - 1] = 0;
            columns[0] += carry;
        }
        // The last carries.
        columns.into_iter().fold(largest, |largest, column| largest.max(column + (largest >> bits) + 1))
    }

    fn magnitudes<const N: usize>(terms: &[Term]) -> [i128; N] {
        let mut limbs = [0; N];
        limbs[0] = 1;
        for (place, value) in terms {
            limbs[*place] += i128::from(value.0.abs());
        }
        limbs
    }

    const LIMIT: i128 = 1 << 63;
}
