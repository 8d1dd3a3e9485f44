//! Products of numbers of hundreds of digits, as sums by column.
//!
//! A digit has 13 bits and a sign, so that one instruction (`i32x4.dot_i16x8_s`) makes eight products of digits and adds
//! them in pairs, and sums of 32 bits take over a hundred of them before a carry is due. Carries are not led to their
//! end: a digit may leave the range of 13 bits by a little, a number then has more than one form, and all columns carry
//! at once instead of one after the other. (In V8, for RSA-2048 and the exponent 65537: 23 us, where limbs of 27 bits
//! in 64-bit sums took 67.)
//!
//! # No sum wraps
//!
//! A sum is stored with [`HALF`] added, so that a shift rounds it to the nearest multiple of 2^13. What of a sum below
//! 2^31 goes into the next column is at most 2^18. Such a carry and the 13 bits that stayed are below 2^18 + 2^13, whose
//! own carry is at most 2^5. Therefore digits that carried twice are at most 2^12 + 2^5, [`MOST_DIGIT`].
//!
//! A row of eight digits adds eight products to a column. A sum gets at most [`MOST_ROWS`] of them between two carries,
//! and else what a carry left (below 2^18 + 2^13, which squaring doubles), and once what settled columns below carried
//! into it (at most 2^18 + 2^5): together below 2^20.

use super::lanes::Lanes;

/// Eight digits, the less significant first as everywhere here: four lanes of two.
pub(super) type Row = [i32; 4];

/// For four columns, what the pairs of a row meet there: the digits from place 4n on, and those from 4n - 2 on, each with
/// the digit before it as the upper half of its lane.
pub(super) type Quad = [Lanes; 2];

/// A number in both forms of a factor.
pub(super) struct Number {
    pub(super) rows: Box<[Row]>,
    /// After one of zeros, up to the one that has only the digit before.
    pub(super) quads: Box<[Quad]>,
}

impl Number {
    /// Of digits that are at most [`MOST_DIGIT`], in whole rows.
    pub(super) fn new(digits: &[i32]) -> Self {
        let (rows, _) = digits.as_chunks::<8>();
        let pair = |low: i32, high: i32| low & 0xffff | high << 16;
        let rows: Box<[Row]> =
            rows.iter().map(|&[a, b, c, d, e, f, g, h]| [pair(a, b), pair(c, d), pair(e, f), pair(g, h)]).collect();
        let quads = vec![[Lanes::ZERO; 2]; rows.len().wrapping_mul(2).wrapping_add(3)].into();
        let mut number = Self { rows, quads };
        number.fill_quads();
        number
    }

    pub(super) fn digits(&self) -> impl Iterator<Item = i32> {
        self.rows.iter().flatten().flat_map(|pair| [pair << 16 >> 16, pair >> 16])
    }

    /// From the rows.
    #[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
    fn fill_quads(&mut self) {
        let (mut row_before, mut lanes_before) = (Lanes::ZERO, Lanes::ZERO);
        let (quads, _) = self.quads.get_mut(1..).unwrap_or_default().as_chunks_mut::<2>();
        // The highest digit is the one before another, of a row of zeros.
        for (quads, row) in quads.iter_mut().zip(self.rows.iter().chain([&[0; 4]])) {
            let row = Lanes::new(*row);
            let [first, second] = row.paired(row_before);
            *quads = [[first, first.halfway_after(lanes_before)], [second, second.halfway_after(first)]];
            (row_before, lanes_before) = (row, second);
        }
    }
}

/// The sums of the columns of a product, four in each.
pub(super) struct Sums {
    /// One more than a product has, for carries.
    lanes: Box<[Lanes]>,
    /// Rows that may be added before a carry is due.
    room: usize,
}

impl Sums {
    /// For factors of so many rows.
    pub(super) fn of(rows: usize) -> Self {
        Self { lanes: vec![Lanes::ZERO; rows.wrapping_mul(4).wrapping_add(1)].into(), room: 0 }
    }

    #[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
    pub(super) fn clear(&mut self) {
        self.lanes.fill(Lanes::splat(HALF));
        self.room = MOST_ROWS;
    }

    #[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
    pub(super) fn multiply(&mut self, rows: &[Row], factor: &Number) {
        self.clear();
        for (place, row) in (0..).step_by(2).zip(rows) {
            self.add(place, row, &factor.quads);
        }
        // Those below the place of the last carry, too.
        self.carry(0);
    }

    /// Each product of two different digits is made once and doubled, but for those near the diagonal.
    #[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
    pub(super) fn square(&mut self, number: &Number) {
        self.clear();
        // The n-th row, in the columns from 16n + 16 on, meets only digits of higher rows.
        for ((place, quad), row) in (4..).step_by(4).zip((4..).step_by(2)).zip(&number.rows) {
            self.add(place, row, number.quads.get(quad..).unwrap_or_default());
        }
        self.double_and_add_diagonal(number);
        // A column got up to sixteen products.
        self.room = MOST_ROWS.saturating_sub(2);
    }

    /// Doubles the sums, after a carry, and adds to the columns from 16n to 16n + 15 the products that have no factor
    /// below digit 8n. One factor is of the n-th row, 8n to 8n + 7. So is the other, which counts both orders; or it
    /// is of the next row, and counts twice.
    #[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
    fn double_and_add_diagonal(&mut self, number: &Number) {
        // Digits of the row in question and those above it, where lanes hold one of the row below.
        let (from_0, from_2) = (Lanes::new([0xffff, -1, -1, -1]), Lanes::new([0, 0, 0xffff, -1]));
        let half = Lanes::splat(HALF);
        let mut before = Lanes::ZERO;
        let mut doubled = |sum: Lanes| {
            let (carry, rest) = split(sum);
            let sum = rest.plus(carry.after(before));
            before = carry;
            sum.plus(sum).minus(half)
        };
        let (blocks, _) = self.lanes.as_chunks_mut::<4>();
        let windows = number.quads.get(1..).unwrap_or_default().windows(4).step_by(2);
        for (block, (row, window)) in blocks.iter_mut().zip(number.rows.iter().zip(windows)) {
            let [[e0, o0], [e1, o1], [e2, o2], [e3, o3]] = window else { continue };
            let (e0, o0) = (e0.and(from_0), o0.and(from_2));
            let (e2, o2) = (e2.plus_by_halves(e2.and(from_0)), o2.plus_by_halves(o2.and(from_2)));
            let (e3, o3) = (e3.plus_by_halves(*e3), o3.plus_by_halves(*o3));
            let [x0, x1, x2, x3] = splat(row);
            let [a, b, c, d] = *block;
            *block = [
                doubled(a).plus(x0.dot(e0)).plus(x1.dot(o0)),
                doubled(b).plus(x0.dot(*e1)).plus(x1.dot(*o1)).plus(x2.dot(e0)).plus(x3.dot(o0)),
                doubled(c).plus(x0.dot(e2)).plus(x1.dot(o2)).plus(x2.dot(*e1)).plus(x3.dot(*o1)),
                doubled(d).plus(x0.dot(e3)).plus(x1.dot(o3)).plus(x2.dot(e2)).plus(x3.dot(o2)),
            ];
        }
        if let Some(last) = self.lanes.last_mut() {
            *last = doubled(*last);
        }
    }

    /// Adds a row's products with the quads after the first, of which the second one's go to `place`. Columns below it
    /// may get no more rows until all carry or they are settled.
    #[inline]
    #[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
    pub(super) fn add(&mut self, place: usize, row: &Row, quads: &[Quad]) {
        if self.room == 0 {
            self.carry(place);
        }
        self.room = self.room.wrapping_sub(1);
        let Some((&[mut even_before, mut odd_before], quads)) = quads.split_first() else { return };
        let [x0, x1, x2, x3] = splat(row);
        for (sum, [even, odd]) in self.lanes.get_mut(place..).unwrap_or_default().iter_mut().zip(quads) {
            let added = x0.dot(*even).plus(x1.dot(*odd)).plus(x2.dot(even_before)).plus(x3.dot(odd_before));
            *sum = sum.plus(added);
            (even_before, odd_before) = (*even, *odd);
        }
    }

    /// Each column from `place` on keeps 13 bits and gives the rest to the next one. Nothing leaves the last lane: the
    /// carry of a product's highest column is three columns away from it.
    #[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
    fn carry(&mut self, place: usize) {
        let mut before = Lanes::ZERO;
        for sum in self.lanes.get_mut(place..).unwrap_or_default() {
            let (carry, rest) = split(*sum);
            *sum = rest.plus(carry.after(before));
            before = carry;
        }
        self.room = MOST_ROWS;
    }

    /// Makes the sums of sixteen columns digits, by carries that go beyond them, and gives these.
    #[inline]
    #[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
    pub(super) fn settle(&mut self, place: usize) -> [Row; 2] {
        let lanes = self.lanes.get_mut(place..).unwrap_or_default();
        let Some([a, b, c, d, next]) = lanes.first_chunk_mut() else { return [[0; 4]; 2] };
        let half = Lanes::splat(HALF);
        let mut carries = Carries::none();
        let digits = [carries.settle(*a), carries.settle(*b), carries.settle(*c), carries.settle(*d)];
        [*a, *b, *c, *d] = digits.map(|digits| digits.plus(half));
        *next = next.plus(Lanes::ZERO.after(carries.first.plus(carries.second)));
        let [a, b, c, d] = digits;
        [a.packed(b), c.packed(d)]
    }

    /// The number that the columns from `place` on stand for. Those above its digits must add up to zero.
    #[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
    pub(super) fn settle_into(&self, number: &mut Number, place: usize) {
        let mut carries = Carries::none();
        let (pairs, _) = self.lanes.get(place..).unwrap_or_default().as_chunks::<2>();
        for (row, [a, b]) in number.rows.iter_mut().zip(pairs) {
            *row = carries.settle(*a).packed(carries.settle(*b));
        }
        number.fill_quads();
    }
}

/// What goes from four columns into the ones above, in each of two rounds.
struct Carries {
    first: Lanes,
    second: Lanes,
}

impl Carries {
    #[inline]
    fn none() -> Self {
        Self { first: Lanes::ZERO, second: Lanes::ZERO }
    }

    #[inline]
    #[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
    fn settle(&mut self, sum: Lanes) -> Lanes {
        let (first, rest) = split(sum);
        let (second, rest) = split(rest.plus(first.after(self.first)));
        let digits = rest.plus(second.after(self.second)).minus(Lanes::splat(HALF));
        *self = Self { first, second };
        digits
    }
}

/// Of stored sums, the carries and what stays, stored the same way.
#[inline]
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
fn split(sums: Lanes) -> (Lanes, Lanes) {
    (sums.shifted_right(DIGIT_BITS), sums.and(Lanes::splat(DIGIT_MASK)))
}

#[inline]
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
fn splat(row: &Row) -> [Lanes; 4] {
    let [a, b, c, d] = *row;
    [Lanes::splat(a), Lanes::splat(b), Lanes::splat(c), Lanes::splat(d)]
}

pub(super) const DIGIT_BITS: u32 = 13;
pub(super) const DIGIT_MASK: i32 = (1 << DIGIT_BITS) - 1;
pub(super) const HALF: i32 = 1 << (DIGIT_BITS - 1);

const MOST_DIGIT: i64 = (1 << 12) + (1 << 5);
const MOST_ROWS: usize = 15;
const _: () = assert!(8 * MOST_ROWS as i64 * MOST_DIGIT * MOST_DIGIT + (1 << 20) <= i32::MAX as i64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    const MOST: i32 = MOST_DIGIT as i32;

    test!(products_of_the_largest_digits_do_not_wrap, {
        for count in [16, 32, 160, 240, 320, 640] {
            for pattern in [[MOST, MOST], [-MOST, -MOST], [MOST, -MOST], [-1, MOST], [0, -MOST]] {
                let digits: Vec<i32> = (0..count).map(|i| pattern[i % 2]).collect();
                let number = Number::new(&digits);
                let rows = Number::new(&vec![-MOST; count]).rows;
                let mut sums = Sums::of(count / 8);
                sums.multiply(&rows, &number);
                assert_eq!(
                    value(&mut sums),
                    modulo(&vec![-MOST; count]) * modulo(&digits) % PRIME,
                    "{count} {pattern:?}"
                );
                sums.square(&number);
                assert_eq!(value(&mut sums), modulo(&digits) * modulo(&digits) % PRIME, "{count} {pattern:?}");
            }
        }
    });

    test!(squares_have_every_product_once, {
        // One digit alone, and each two: 3i + 5j squared has 9, 30 and 25.
        let count = 48;
        for i in 0..count {
            for j in 0..count {
                let mut digits = vec![0; count];
                digits[i] += 3;
                digits[j] += 5;
                let mut sums = Sums::of(count / 8);
                sums.square(&Number::new(&digits));
                assert_eq!(value(&mut sums), modulo(&digits) * modulo(&digits) % PRIME, "{i} {j}");
            }
        }
    });

    test!(settled_columns_hold_small_digits_of_the_same_number, {
        for sum in [i32::MAX - HALF, i32::MIN, 0, -HALF, HALF - 1, HALF, 123_456_789] {
            let mut sums = Sums::of(2);
            sums.clear();
            sums.lanes[..4].fill(Lanes::splat(sum.wrapping_add(HALF)));
            let expected = modulo(&[sum.wrapping_add(HALF).wrapping_sub(HALF); 16]);
            let rows = sums.settle(0);
            let digits = Number { rows: rows.into(), quads: Box::default() };
            assert!(digits.digits().all(|digit| digit.abs() <= MOST), "{sum}");
            assert_eq!(value(&mut sums), expected, "{sum}");
        }
    });

    const PRIME: i128 = (1 << 61) - 1;

    /// What digits of any size stand for, modulo a prime.
    fn modulo(digits: &[i32]) -> i128 {
        digits.iter().rev().fold(0, |number, digit| ((number << DIGIT_BITS) + i128::from(*digit)).rem_euclid(PRIME))
    }

    fn value(sums: &mut Sums) -> i128 {
        let rows = sums.lanes.len() / 2;
        let mut number = Number::new(&vec![0; rows * 8]);
        sums.settle_into(&mut number, 0);
        let mut digits: Vec<i32> = number.digits().collect();
        // The last lanes, for what was carried beyond a product, are not a whole row.
        let mut rest = Sums::of(1);
        rest.clear();
        rest.lanes[0] = *sums.lanes.last().unwrap();
        let beyond = rest.settle(0);
        digits.extend(Number { rows: beyond.into(), quads: Box::default() }.digits());
        modulo(&digits)
    }
}
