//! Multiplication of public points, made fast by tables of their multiples: what verifying ECDSA and EdDSA costs.
//!
//! Everything here is public, a verification key or a signature, and the time it takes depends on it. Nothing here may
//! touch a private key: signing, and reading keys, is the crates' work.

mod field;
mod inverse;
mod montgomery;
mod product;
mod table;

pub(super) mod edwards25519;
pub(super) mod p256;
pub(super) mod p384;
pub(super) mod p521;
pub(super) mod weierstrass;
pub(super) mod words;

use field::{Field, Prime};

pub(super) use table::{Multiplier, Table};

/// A curve's points, whose coordinates are numbers of N limbs.
pub(super) trait Group<const N: usize>: Sized + 'static {
    type Prime: Prime<N>;
    /// A point that sums can be made in.
    type Sum: Clone;
    /// A point that can be added often, in few bytes.
    type Fixed: Send + Sync;

    /// What scalars have at most.
    const SCALAR_BITS: usize;

    fn zero() -> Self::Sum;

    /// Adds the point, or its negative.
    fn add(sum: &mut Self::Sum, point: &Self::Fixed, negative: bool);

    fn double(sum: &mut Self::Sum);

    /// What the point's coordinates are divided by. The point is not zero.
    fn denominator(sum: &Self::Sum) -> Field<Self::Prime, N>;

    /// The same point, given the inverse of its denominator.
    fn fixed(sum: &Self::Sum, inverse: &Field<Self::Prime, N>) -> Self::Fixed;
}
