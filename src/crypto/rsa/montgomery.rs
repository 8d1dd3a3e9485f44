//! Exponentiation modulo an odd number, by Montgomery's method, for RSA's public operation.
//!
//! All numbers are public, so that the time it takes may depend on them; for the same reason nothing here may be used
//! with a private key.
//!
//! # The reduction
//!
//! Let N be the modulus, β = 2^208 a block of sixteen digits, and R = β^count, at least 2^4 times what N's bytes can
//! hold. A product T is divided by R block by block, each time after adding the multiple of N that makes the lowest block
//! zero. What would take a multiplication to find, the quotient, is the block q itself where a multiple M = kN that is -1
//! modulo β is added instead of N: T + qM = (T - q) + q(M + 1). T - q has lost its lowest block, and (M + 1) / β is a
//! number not above N. The last block alone is made zero by N, with the quotient qk: M would leave a result that is
//! longer than N by a block.
//!
//! # Numbers stay short
//!
//! Digits are signed, and so are numbers. All lie between -1.1 N and 1.1 N. For the product of two such numbers, divided
//! by R, is at most 1.21 N * N / R < 0.08 N. A block is at most (2^12 + 2^5) * (β - 1) / (2^13 - 1) < 0.504 β. The
//! multiples of M, which is below βN, add at most 0.504 β * βN * (1 + β + ... + β^(count - 2)) / R < 0.505 N, and that of
//! N at most 0.504 N.
//!
//! Settled digits below R make up less than 0.504 R, and a result is below R/8, so that the columns from R on, of which
//! there are some for carries, stand for a multiple of R that is zero. For the same reason the last block is zero after
//! its multiple was added: it is a multiple of β. The power alone is led into the range from 0 to N - 1, at the end.

use super::digits;
use super::sums::{Number, Quad, Row, Sums};

/// An odd modulus, with what is precomputed from it.
pub(super) struct Modulus {
    /// Big-endian.
    bytes: Box<[u8]>,
    /// Below 2^13 each.
    digits: Box<[i32]>,
    /// Blocks of sixteen digits.
    count: usize,
    modulus: Box<[Quad]>,
    /// Minus the modulus' inverse, modulo β: k.
    negated_inverse: Box<[Quad]>,
    /// (M + 1) / β.
    multiple: Box<[Quad]>,
    /// R^2 modulo the modulus, which leads a number into Montgomery's form.
    r_squared: Box<[Row]>,
}

impl Modulus {
    /// From big-endian bytes without leading zeros. None if it is even, or longer than 8192 bits.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        if bytes.last()? & 1 == 0 || bytes.len() > MOST_BYTES {
            return None;
        }
        let bits = bytes.len().wrapping_mul(8);
        let count = bits.wrapping_add(4).div_ceil(BLOCK_BITS);
        let digits = digits::from_bytes(bytes, count.wrapping_mul(BLOCK));
        let (negated_inverse, multiple) = digits::divide_multiple(&digits, BLOCK);
        let mut modulus = Self {
            bytes: bytes.into(),
            count,
            modulus: number(&digits).quads,
            negated_inverse: number(&negated_inverse).quads,
            multiple: number(&multiple).quads,
            r_squared: Box::default(),
            digits,
        };
        modulus.r_squared = modulus.compute_r_squared();
        Some(modulus)
    }

    /// `base` to the power of `exponent`, as big-endian bytes of the modulus' length.
    ///
    /// None unless the base has as many bytes and is below the modulus, and the exponent is odd and above 1.
    pub(super) fn power(&self, base: &[u8], exponent: u32) -> Option<Vec<u8>> {
        if base.len() != self.bytes.len() || base >= &*self.bytes || exponent < 2 || exponent.is_multiple_of(2) {
            return None;
        }
        let mut space = self.space();
        let mut power = number(&digits::from_bytes(base, self.digits.len()));
        let base = power.rows.clone();
        self.multiply(&mut power, &self.r_squared, &mut space);
        let base_in_form = power.rows.clone();
        for bit in (1..exponent.checked_ilog2()?).rev() {
            self.square(&mut power, &mut space);
            if exponent.wrapping_shr(bit) & 1 == 1 {
                self.multiply(&mut power, &base_in_form, &mut space);
            }
        }
        self.square(&mut power, &mut space);
        // The exponent's lowest bit: multiplying by the plain base also leads back from Montgomery's form.
        self.multiply(&mut power, &base, &mut space);
        let digits = digits::least_residue(power.digits(), &self.digits);
        Some(digits::to_bytes(&digits, self.bytes.len()))
    }

    /// `a` becomes a * b / R modulo the modulus.
    fn multiply(&self, a: &mut Number, b: &[Row], space: &mut Space) {
        space.product.multiply(b, a);
        self.reduce(a, space);
    }

    /// `a` becomes a * a / R modulo the modulus.
    fn square(&self, a: &mut Number, space: &mut Space) {
        space.product.square(a);
        self.reduce(a, space);
    }

    /// The product divided by R.
    #[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
    fn reduce(&self, number: &mut Number, Space { product, quotient }: &mut Space) {
        let last = self.count.wrapping_sub(1).wrapping_mul(4);
        for place in (0..last).step_by(4) {
            let [low, high] = product.settle(place);
            product.add(place.wrapping_add(4), &low, &self.multiple);
            product.add(place.wrapping_add(6), &high, &self.multiple);
        }
        let [low, high] = product.settle(last);
        quotient.clear();
        quotient.add(0, &low, &self.negated_inverse);
        quotient.add(2, &high, &self.negated_inverse);
        let [low, high] = quotient.settle(0);
        product.add(last, &low, &self.modulus);
        product.add(last.wrapping_add(2), &high, &self.modulus);
        // Only what it carries is left.
        product.settle(last);
        product.settle_into(number, last.wrapping_add(4));
    }

    fn compute_r_squared(&self) -> Box<[Row]> {
        // R modulo the modulus is Montgomery's form of 1. Thirteen doublings a block more lead to that of a number whose
        // 16th power is R.
        let exponent = self.count.wrapping_mul(BLOCK_BITS + BLOCK_BITS / 16);
        let mut number = number(&digits::power_of_two(exponent, &self.digits));
        let mut space = self.space();
        for _ in 0..4 {
            self.square(&mut number, &mut space);
        }
        number.rows
    }

    fn space(&self) -> Space {
        Space { product: Sums::of(self.count.wrapping_mul(BLOCK_ROWS)), quotient: Sums::of(BLOCK_ROWS) }
    }
}

fn number(digits: &[i32]) -> Number {
    Number::new(&digits::balanced(digits))
}

/// What a multiplication needs beside its operands, made once for many.
struct Space {
    product: Sums,
    quotient: Sums,
}

/// Digits of β.
const BLOCK: usize = 16;
const BLOCK_BITS: usize = 208;
const BLOCK_ROWS: usize = 2;

const MOST_BYTES: usize = 1024;

#[cfg(test)]
mod tests;
