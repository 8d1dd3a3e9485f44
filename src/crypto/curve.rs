//! Multiplication of public points, made fast by tables of their multiples: what verifying ES256 and EdDSA costs.
//!
//! Everything here is public, a verification key or a signature, and the time it takes depends on it. Nothing here may
//! touch a private key: signing, and reading keys, is the crates' work.

mod field;
mod inverse;
mod table;

pub(super) mod edwards25519;
pub(super) mod p256;
pub(super) mod words;

use field::{Field, Prime};

pub(super) use table::{Multiplier, Table};

/// A curve's points.
pub(super) trait Group: Sized + 'static {
    type Prime: Prime;
    /// A point that sums can be made in.
    type Sum: Clone;
    /// A point that can be added often, in few bytes.
    type Fixed: Send + Sync;

    fn zero() -> Self::Sum;

    /// Adds the point, or its negative.
    fn add(sum: &mut Self::Sum, point: &Self::Fixed, negative: bool);

    fn double(sum: &mut Self::Sum);

    /// What the point's coordinates are divided by. The point is not zero.
    fn denominator(sum: &Self::Sum) -> Field<Self::Prime>;

    /// The same point, given the inverse of its denominator.
    fn fixed(sum: &Self::Sum, inverse: &Field<Self::Prime>) -> Self::Fixed;
}
