//! Sums of multiples of points, from tables.

use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::sync::OnceLock;

use super::{
    Group,
    field::Field,
    words::{self, WORD_BITS, Words},
};

/// A point that is multiplied, perhaps often: from the fourth time on with a large table.
///
/// A key that verifies one signature, as that inside a proof (RFC 9449) does, is not to pay for what pays off later.
pub(in crate::crypto) struct Multiplier<G: Group<N>, const N: usize> {
    point: G::Fixed,
    uses: AtomicU8,
    table: OnceLock<(Table<G, N>, Allowance)>,
}

impl<G: Group<N>, const N: usize> Multiplier<G, N> {
    pub(in crate::crypto) fn new(point: G::Fixed) -> Self {
        Self { point, uses: AtomicU8::new(0), table: OnceLock::new() }
    }

    /// The sum of the point times the first scalar and the table's point times the second. Both are below
    /// 2^[`Group::SCALAR_BITS`].
    #[inline(never)]
    pub(in crate::crypto) fn sum_of_multiples(
        &self,
        scalar: &Words<N>,
        table: &Table<G, N>,
        other: &Words<N>,
    ) -> G::Sum {
        match self.large_table() {
            Some(own) => sum_of_multiples([(own, scalar), (table, other)]),
            None => sum_of_multiples([(&Table::small(&self.point), scalar), (table, other)]),
        }
    }

    /// Made when the small one has been made a few times; none before, and none while too many other keys have theirs.
    fn large_table(&self) -> Option<&Table<G, N>> {
        if self.table.get().is_none() {
            let uses = self.uses.load(Relaxed);
            if uses < USES_WITHOUT_TABLE {
                self.uses.store(uses.wrapping_add(1), Relaxed);
                return None;
            }
            let allowance = Allowance::take()?;
            // Of two threads one comes first, and the other's allowance is given back.
            let _ = self.table.set((Table::large(&self.point), allowance));
        }
        self.table.get().map(|(table, _)| table)
    }
}

/// Multiples of a point.
///
/// A scalar is written in windows, digits of [`WIDTH`] bits and a sign. The table has a row for every `stride`th window:
/// the point's multiples by 2^([`WIDTH`] - 1) down to 1, times that window's weight. Windows between two rows use the
/// lower one's, and doublings make up for it.
pub(in crate::crypto) struct Table<G: Group<N>, const N: usize> {
    stride: usize,
    points: Box<[G::Fixed]>,
}

/// The sum of each table's point times the scalar with it. The scalars are below 2^[`Group::SCALAR_BITS`].
pub(in crate::crypto) fn sum_of_multiples<G: Group<N>, const N: usize>(
    multiples: [(&Table<G, N>, &Words<N>); 2],
) -> G::Sum {
    let digits = multiples.map(|(_, scalar)| digits(scalar, windows::<G, N>()));
    let columns = multiples.iter().map(|(table, _)| table.stride).max().unwrap_or_default();
    let mut sum = G::zero();
    for column in (0..columns).rev() {
        for ((table, _), digits) in multiples.iter().zip(&digits) {
            table.add_column(digits, column, &mut sum);
        }
        if column > 0 {
            double_by_width::<G, N>(&mut sum);
        }
    }
    sum
}

impl<G: Group<N>, const N: usize> Table<G, N> {
    /// Of one row, which costs little to make and many doublings to use.
    pub(in crate::crypto) fn small(point: &G::Fixed) -> Self {
        Self::new(point, windows::<G, N>())
    }

    /// Of as many rows as are worth their memory.
    pub(in crate::crypto) fn large(point: &G::Fixed) -> Self {
        Self::new(point, windows::<G, N>().div_ceil(MOST_ROWS))
    }

    #[inline(never)]
    fn new(point: &G::Fixed, stride: usize) -> Self {
        let mut weighted = G::zero();
        G::add(&mut weighted, point, false);
        let rows = windows::<G, N>().div_ceil(stride);
        let mut points = Vec::with_capacity(rows.wrapping_mul(ROW));
        for row in 0..rows {
            if row > 0 {
                (0..stride).for_each(|_| double_by_width::<G, N>(&mut weighted));
            }
            extend_by_row::<G, N>(&mut points, &weighted);
        }
        Self { stride, points: points.into() }
    }

    /// Adds what those windows say that are `column` above their rows' own.
    #[inline(never)]
    fn add_column(&self, digits: &[i32], column: usize, sum: &mut G::Sum) {
        if column >= self.stride {
            return;
        }
        let mut window = column;
        for row in self.points.as_chunks::<ROW>().0 {
            let digit = digits.get(window).copied().unwrap_or_default();
            // The row's length is the index for 0, which adds nothing.
            let index = ROW.wrapping_sub(digit.unsigned_abs() as usize);
            if let Some(multiple) = row.get(index) {
                G::add(sum, multiple, digit < 0);
            }
            window = window.wrapping_add(self.stride);
        }
    }
}

/// Adds the point's multiples by [`ROW`] down to 1.
#[inline(never)]
fn extend_by_row<G: Group<N>, const N: usize>(points: &mut Vec<G::Fixed>, point: &G::Sum) {
    let point = G::fixed(point, &G::denominator(point).inverted());
    // All denominators are inverted at once: their product is, and then those before the last, and so on.
    let mut product = Field::ONE;
    let mut multiple = G::zero();
    let mut multiples = Vec::with_capacity(ROW);
    for _ in 0..ROW {
        G::add(&mut multiple, &point, false);
        multiples.push((multiple.clone(), product));
        product = product.times(&G::denominator(&multiple));
    }
    let mut inverse = product.inverted();
    for (multiple, before) in multiples.iter().rev() {
        points.push(G::fixed(multiple, &inverse.times(before)));
        inverse = inverse.times(&G::denominator(multiple));
    }
}

fn double_by_width<G: Group<N>, const N: usize>(sum: &mut G::Sum) {
    for _ in 0..WIDTH {
        G::double(sum);
    }
}

/// Windows of the scalar, each from -2^([`WIDTH`] - 1) + 1 to 2^([`WIDTH`] - 1), the least significant first.
#[inline(never)]
fn digits(scalar: &[u32], windows: usize) -> Vec<i32> {
    let mut digits = vec![0; windows];
    words::regroup_into(&mut digits, scalar, WORD_BITS, WIDTH);
    let mut carry = 0;
    let signed = digits.into_iter().map(|digit| {
        let digit = (digit as i32).wrapping_add(carry);
        carry = (digit > ROW as i32).into();
        digit.wrapping_sub(carry << WIDTH)
    });
    signed.collect()
}

/// The highest takes the carry of the one below.
const fn windows<G: Group<N>, const N: usize>() -> usize {
    G::SCALAR_BITS.wrapping_add(1).div_ceil(WIDTH)
}

/// Leave to keep a large table, given back when it is dropped.
///
/// Key sets may have thousands of keys. What is counted is the memory of the process, and no configuration's.
struct Allowance;

impl Allowance {
    fn take() -> Option<Self> {
        let more = |tables: usize| tables.checked_add(1).filter(|tables| *tables <= MOST_LARGE_TABLES);
        LARGE_TABLES.fetch_update(Relaxed, Relaxed, more).ok().map(|_| Self)
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        LARGE_TABLES.fetch_sub(1, Relaxed);
    }
}

static LARGE_TABLES: AtomicUsize = AtomicUsize::new(0);

/// Of 15 KiB (P-256), 22 KiB (edwards25519), 23 KiB (P-384) or 29 KiB (P-521) each. Keys beyond this many verify with small tables.
const MOST_LARGE_TABLES: usize = 64;
const USES_WITHOUT_TABLE: u8 = 3;

const WIDTH: usize = 5;
const ROW: usize = 1 << (WIDTH - 1);
const MOST_ROWS: usize = 13;

#[cfg(test)]
mod tests {
    use super::{
        super::{
            edwards25519::{Edwards25519, base_point},
            p256::P256,
            p384::P384,
            p521::P521,
            weierstrass::{Curve, generator},
        },
        *,
    };
    use crate::test::test;

    // One test, as all share one count of tables.
    test!(a_large_table_is_made_with_the_fourth_use_while_there_is_leave, {
        let multiplier = || Multiplier::<Edwards25519, 9>::new(base_point().points[3].clone());
        let frequent = multiplier();
        for _ in 0..USES_WITHOUT_TABLE {
            assert!(frequent.large_table().is_none());
        }
        assert_eq!(frequent.large_table().unwrap().points.len(), MOST_ROWS * ROW);
        // None is left, whatever other tests do.
        LARGE_TABLES.fetch_add(1000, Relaxed);
        let late = multiplier();
        for _ in 0..10 {
            assert!(late.large_table().is_none());
        }
        assert!(frequent.large_table().is_some());
        LARGE_TABLES.fetch_sub(1000, Relaxed);
        assert!(late.large_table().is_some());
        // Thousands of keys come and go.
        for _ in 0..3 * MOST_LARGE_TABLES {
            let short = multiplier();
            assert!((0..4).any(|_| short.large_table().is_some()));
        }
    });

    test!(digits_make_up_their_scalar, {
        for (windows, bytes) in [(52, 32), (77, 48), (105, 65)] {
            for byte in [0, 1, 0x0f, 0x10, 0x42, 0x7b, 0x84, 0xef, 0xff] {
                let scalar: Words<19> = words::from_big_endian(&vec![byte; bytes]);
                let digits = digits(&scalar, windows);
                assert!(digits.iter().all(|digit| (1 - ROW as i32..=ROW as i32).contains(digit)));
                // Written out again, from the least significant up.
                let mut borrow = 0;
                let plain = digits.into_iter().map(|digit| {
                    let digit = digit - borrow;
                    borrow = (digit < 0).into();
                    (digit + (borrow << WIDTH)) as u32
                });
                let plain: Vec<u32> = plain.collect();
                assert_eq!((borrow, words::regroup(&plain, WIDTH, WORD_BITS)), (0, scalar), "{byte:x}");
            }
        }
    });

    test!(large_tables_are_as_large_as_they_are_said_to_be, {
        fn kibibytes<G: Group<N>, const N: usize>(table: &Table<G, N>) -> usize {
            table.points.len() * size_of::<G::Fixed>() / 1024
        }
        fn of_curve<C: Curve<N>, const N: usize>() -> usize {
            kibibytes(generator::<C, N>())
        }
        assert_eq!(kibibytes(base_point()), 21);
        assert_eq!((of_curve::<P256, 9>(), of_curve::<P384, 14>(), of_curve::<P521, 19>()), (14, 22, 28));
    });
}
