//! ECDSA on one curve (FIPS 186-5 §6.4.2), verification alone.

use crate::crypto::curve::{
    Multiplier,
    weierstrass::{Affine, Curve, generator, is_scalar, quotients},
    words::from_big_endian,
};

/// A point of a curve, which is never the one at infinity.
pub(in crate::crypto) struct Key<C: Curve<N>, const N: usize>(Multiplier<C, N>);

impl<C: Curve<N>, const N: usize> Key<C, N> {
    /// From an encoded point (SEC 1 §2.3.3), compressed or not. None unless it is on the curve.
    pub(super) fn from_sec1(point: &[u8]) -> Option<Self> {
        let (tag, coordinates) = point.split_first()?;
        let (x, y) = coordinates.split_at_checked(Self::BYTES)?;
        let x = from_big_endian(x);
        let point = match (*tag, y.len()) {
            (UNCOMPRESSED, length) if length == Self::BYTES => Affine::from_coordinates::<C>(&x, &from_big_endian(y)),
            (COMPRESSED_EVEN, 0) => Affine::from_x::<C>(&x, false),
            (COMPRESSED_ODD, 0) => Affine::from_x::<C>(&x, true),
            _ => None,
        };
        point.map(Multiplier::new).map(Self)
    }

    /// `hash` is of the length of the order, or shorter. `signature` is R and S, each as long as the order.
    pub(super) fn verify(&self, hash: &[u8], signature: &[u8]) -> bool {
        let Some((r, s)) = signature.split_at_checked(Self::BYTES) else {
            return false;
        };
        if s.len() != Self::BYTES {
            return false;
        }
        let (r, s) = (from_big_endian(r), from_big_endian(s));
        if !is_scalar::<C, N>(&r) || !is_scalar::<C, N>(&s) {
            return false;
        }
        let [u1, u2] = quotients::<C, N>([&from_big_endian(hash), &r], &s);
        self.0.sum_of_multiples(&u2, generator(), &u1).has_x::<C>(&r)
    }

    const BYTES: usize = C::BITS.div_ceil(8);
}

/// The tags of encoded points.
pub(super) const UNCOMPRESSED: u8 = 4;
const COMPRESSED_EVEN: u8 = 2;
const COMPRESSED_ODD: u8 = 3;

#[cfg(test)]
mod tests;
