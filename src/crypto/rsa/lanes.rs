//! Four lanes of 32 bits: the one part of RSA that is written twice, for WebAssembly's 128-bit vectors and portably.
//!
//! A lane is a number, or two of 16 bits, the lower half first. Every function is one or two instructions of
//! WebAssembly's `simd128`, which is enabled for the functions that need it and not for the whole module; who calls them
//! has it too, so that they become part of the caller. They are safe: a host that does not know the instructions
//! refuses the module.

#[cfg(not(target_arch = "wasm32"))]
pub(super) use portable::Lanes;
#[cfg(target_arch = "wasm32")]
pub(super) use vector::Lanes;

#[cfg(target_arch = "wasm32")]
mod vector {
    use core::arch::wasm32::{
        i16x8_add, i16x8_narrow_i32x4, i16x8_shuffle, i32x4, i32x4_add, i32x4_dot_i16x8, i32x4_extract_lane, i32x4_shr,
        i32x4_shuffle, i32x4_splat, i32x4_sub, v128, v128_and,
    };

    #[derive(Clone, Copy)]
    pub(in super::super) struct Lanes(v128);

    impl Lanes {
        pub(in super::super) const ZERO: Self = Self(i32x4(0, 0, 0, 0));

        pub(in super::super) const fn new(lanes: [i32; 4]) -> Self {
            let [a, b, c, d] = lanes;
            Self(i32x4(a, b, c, d))
        }

        #[inline]
        #[target_feature(enable = "simd128")]
        pub(in super::super) fn splat(lane: i32) -> Self {
            Self(i32x4_splat(lane))
        }

        /// Wraps.
        #[inline]
        #[target_feature(enable = "simd128")]
        pub(in super::super) fn plus(self, other: Self) -> Self {
            Self(i32x4_add(self.0, other.0))
        }

        /// Wraps.
        #[inline]
        #[target_feature(enable = "simd128")]
        pub(in super::super) fn minus(self, other: Self) -> Self {
            Self(i32x4_sub(self.0, other.0))
        }

        /// The sum of halves, which wraps.
        #[inline]
        #[target_feature(enable = "simd128")]
        pub(in super::super) fn plus_by_halves(self, other: Self) -> Self {
            Self(i16x8_add(self.0, other.0))
        }

        #[inline]
        #[target_feature(enable = "simd128")]
        pub(in super::super) fn and(self, other: Self) -> Self {
            Self(v128_and(self.0, other.0))
        }

        #[inline]
        #[target_feature(enable = "simd128")]
        pub(in super::super) fn shifted_right(self, bits: u32) -> Self {
            Self(i32x4_shr(self.0, bits))
        }

        /// The product of the lower halves and that of the upper halves, added up.
        #[inline]
        #[target_feature(enable = "simd128")]
        pub(in super::super) fn dot(self, other: Self) -> Self {
            Self(i32x4_dot_i16x8(self.0, other.0))
        }

        /// The last lane of `before`, and the first three.
        #[inline]
        #[target_feature(enable = "simd128")]
        pub(in super::super) fn after(self, before: Self) -> Self {
            Self(i32x4_shuffle::<3, 4, 5, 6>(before.0, self.0))
        }

        /// The last two lanes of `before`, and the first two.
        #[inline]
        #[target_feature(enable = "simd128")]
        pub(in super::super) fn halfway_after(self, before: Self) -> Self {
            Self(i32x4_shuffle::<2, 3, 4, 5>(before.0, self.0))
        }

        /// Eight lanes as halves: each must fit one.
        #[inline]
        #[target_feature(enable = "simd128")]
        pub(in super::super) fn packed(self, next: Self) -> [i32; 4] {
            let packed = i16x8_narrow_i32x4(self.0, next.0);
            [
                i32x4_extract_lane::<0>(packed),
                i32x4_extract_lane::<1>(packed),
                i32x4_extract_lane::<2>(packed),
                i32x4_extract_lane::<3>(packed),
            ]
        }

        /// Of eight halves, each one with the one before it above, `before` ending with the one before the first.
        #[inline]
        #[target_feature(enable = "simd128")]
        pub(in super::super) fn paired(self, before: Self) -> [Self; 2] {
            let shifted = i16x8_shuffle::<7, 8, 9, 10, 11, 12, 13, 14>(before.0, self.0);
            [
                Self(i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(self.0, shifted)),
                Self(i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(self.0, shifted)),
            ]
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod portable {
    #[derive(Clone, Copy)]
    pub(in super::super) struct Lanes([i32; 4]);

    impl Lanes {
        pub(in super::super) const ZERO: Self = Self([0; 4]);

        pub(in super::super) const fn new(lanes: [i32; 4]) -> Self {
            Self(lanes)
        }

        #[inline]
        pub(in super::super) fn splat(lane: i32) -> Self {
            Self([lane; 4])
        }

        #[inline]
        pub(in super::super) fn plus(self, other: Self) -> Self {
            self.with(other, i32::wrapping_add)
        }

        #[inline]
        pub(in super::super) fn minus(self, other: Self) -> Self {
            self.with(other, i32::wrapping_sub)
        }

        #[inline]
        pub(in super::super) fn plus_by_halves(self, other: Self) -> Self {
            self.with(other, |a, b| {
                let ([a_low, a_high], [b_low, b_high]) = (halves(a), halves(b));
                lane(a_low.wrapping_add(b_low), a_high.wrapping_add(b_high))
            })
        }

        #[inline]
        pub(in super::super) fn and(self, other: Self) -> Self {
            self.with(other, |a, b| a & b)
        }

        #[inline]
        pub(in super::super) fn shifted_right(self, bits: u32) -> Self {
            Self(self.0.map(|lane| lane.wrapping_shr(bits)))
        }

        #[inline]
        pub(in super::super) fn dot(self, other: Self) -> Self {
            self.with(other, |a, b| {
                let ([a_low, a_high], [b_low, b_high]) = (halves(a), halves(b));
                let low = i32::from(a_low).wrapping_mul(i32::from(b_low));
                low.wrapping_add(i32::from(a_high).wrapping_mul(i32::from(b_high)))
            })
        }

        #[inline]
        pub(in super::super) fn after(self, before: Self) -> Self {
            let ([a, b, c, _], [.., last]) = (self.0, before.0);
            Self([last, a, b, c])
        }

        #[inline]
        pub(in super::super) fn halfway_after(self, before: Self) -> Self {
            let ([c, d, ..], [.., a, b]) = (self.0, before.0);
            Self([a, b, c, d])
        }

        #[inline]
        pub(in super::super) fn packed(self, next: Self) -> [i32; 4] {
            let ([a, b, c, d], [e, f, g, h]) = (self.0, next.0);
            [(a, b), (c, d), (e, f), (g, h)].map(|(low, high)| lane(low as i16, high as i16))
        }

        #[inline]
        pub(in super::super) fn paired(self, before: Self) -> [Self; 2] {
            let ([a, b, c, d], [.., last]) = (self.0.map(halves), before.0.map(halves));
            let four = |before: i16, [a, b]: [i16; 2], [c, d]: [i16; 2]| {
                Self([lane(a, before), lane(b, a), lane(c, b), lane(d, c)])
            };
            [four(last[1], a, b), four(b[1], c, d)]
        }

        #[inline]
        fn with(self, other: Self, operation: impl Fn(i32, i32) -> i32) -> Self {
            let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
            Self([operation(a, e), operation(b, f), operation(c, g), operation(d, h)])
        }
    }

    #[inline]
    fn halves(lane: i32) -> [i16; 2] {
        [lane as i16, lane.wrapping_shr(16) as i16]
    }

    #[inline]
    fn lane(low: i16, high: i16) -> i32 {
        i32::from(high).wrapping_shl(16) | i32::from(low as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    test!(lanes_count_as_portable_ones_do, {
        let (a, b) = (Lanes::new([1, -2, i32::MAX, i32::MIN]), Lanes::new([10, 20, 1, -1]));
        assert_eq!(lanes(a.plus(b)), [11, 18, i32::MIN, i32::MAX]);
        assert_eq!(lanes(a.minus(b)), [-9, -22, i32::MAX - 1, i32::MIN + 1]);
        assert_eq!(lanes(a.and(b)), [0, 20, 1, i32::MIN]);
        assert_eq!(lanes(a.shifted_right(13)), [0, -1, (1 << 18) - 1, -(1 << 18)]);
        assert_eq!(lanes(Lanes::splat(-7)), [-7; 4]);
        assert_eq!(lanes(a.after(b)), [-1, 1, -2, i32::MAX]);
        assert_eq!(lanes(a.halfway_after(b)), [1, -1, 1, -2]);
    });

    test!(halves_are_signed, {
        let a = Lanes::new([pair(4128, -4128), pair(-1, 2), pair(0, 8256), pair(-4096, 4095)]);
        let b = Lanes::new([pair(4128, 4128), pair(3, -4), pair(5, 6), pair(-4096, 4095)]);
        assert_eq!(lanes(a.dot(b)), [0, -11, 49536, 4096 * 4096 + 4095 * 4095]);
        let sums = [pair(8256, 0), pair(2, -2), pair(5, 8262), pair(-8192, 8190)];
        assert_eq!(lanes(a.plus_by_halves(b)), sums);
    });

    test!(digits_are_packed_and_paired, {
        let packed = Lanes::new([1, -2, 3, -4]).packed(Lanes::new([5, -6, 4128, -4128]));
        assert_eq!(packed, [pair(1, -2), pair(3, -4), pair(5, -6), pair(4128, -4128)]);
        let before = Lanes::new([9, 9, 9, pair(9, -7)]);
        let [first, second] = Lanes::new(packed).paired(before);
        assert_eq!(lanes(first), [pair(1, -7), pair(-2, 1), pair(3, -2), pair(-4, 3)]);
        assert_eq!(lanes(second), [pair(5, -4), pair(-6, 5), pair(4128, -6), pair(-4128, 4128)]);
    });

    fn pair(low: i16, high: i16) -> i32 {
        i32::from(high) << 16 | i32::from(low as u16)
    }

    /// Each lane's halves come by products with one and zero.
    fn lanes(lanes: Lanes) -> [i32; 4] {
        let low = Lanes::splat(pair(1, 0)).dot(lanes).packed(Lanes::ZERO);
        let high = Lanes::splat(pair(0, 1)).dot(lanes).packed(Lanes::ZERO);
        let halves =
            |[first, second, ..]: [i32; 4]| [first as i16, (first >> 16) as i16, second as i16, (second >> 16) as i16];
        let (low, high) = (halves(low), halves(high));
        [0, 1, 2, 3].map(|i| pair(low[i], high[i]))
    }
}
