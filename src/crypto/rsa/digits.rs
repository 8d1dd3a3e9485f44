//! Numbers as digits of 13 bits, from 0 to 2^13 - 1 unless told: what is done once per key or signature.

use super::sums::{DIGIT_BITS, DIGIT_MASK, HALF};

/// Digits of a big-endian number, and zeros.
pub(super) fn from_bytes(bytes: &[u8], count: usize) -> Box<[i32]> {
    let mut digits = Vec::with_capacity(count.wrapping_add(1));
    let (mut pending, mut bits) = (0_u32, 0_u32);
    for byte in bytes.iter().rev() {
        pending |= u32::from(*byte).wrapping_shl(bits);
        bits = bits.wrapping_add(8);
        if bits >= DIGIT_BITS {
            digits.push(pending as i32 & DIGIT_MASK);
            pending >>= DIGIT_BITS;
            bits = bits.wrapping_sub(DIGIT_BITS);
        }
    }
    digits.push(pending as i32);
    digits.resize(count, 0);
    digits.into()
}

/// A big-endian number of `length` bytes.
pub(super) fn to_bytes(digits: &[i32], length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length.wrapping_add(32));
    let (mut pending, mut bits) = (0_u32, 0_u32);
    for digit in digits {
        pending |= digit.cast_unsigned().wrapping_shl(bits);
        bits = bits.wrapping_add(DIGIT_BITS);
        while bits >= 8 {
            bytes.push(pending as u8);
            pending >>= 8;
            bits = bits.wrapping_sub(8);
        }
    }
    bytes.push(pending as u8);
    bytes.resize(length, 0);
    bytes.reverse();
    bytes
}

/// The same number in digits from -2^12 to 2^12 - 1, but for what the highest one carries.
pub(super) fn balanced(digits: &[i32]) -> Box<[i32]> {
    let mut carry = 0;
    let balance = |digit: &i32| {
        let sum = digit.wrapping_add(carry).wrapping_add(HALF);
        carry = sum >> DIGIT_BITS;
        (sum & DIGIT_MASK).wrapping_sub(HALF)
    };
    digits.iter().map(balance).collect()
}

/// For an odd modulus n and B = 2^(13 * `count`), the k below B for which 1 + kn is divisible by B, and (1 + kn) / B.
pub(super) fn divide_multiple(modulus: &[i32], count: usize) -> (Box<[i32]>, Box<[i32]>) {
    let lowest = modulus.first().copied().unwrap_or_default();
    // Newton's iteration: an odd number is its own inverse modulo 8, and each round doubles the bits.
    let inverse =
        (0..3).fold(lowest, |inverse, _| inverse.wrapping_mul(2_i32.wrapping_sub(lowest.wrapping_mul(inverse))));
    let mut number: Vec<i32> = modulus.iter().map(|_| 0).collect();
    if let Some(first) = number.first_mut() {
        *first = 1;
    }
    let mut step = || {
        let first = number.first().copied().unwrap_or_default();
        let factor = first.wrapping_mul(inverse).wrapping_neg() & DIGIT_MASK;
        let mut carry = 0;
        for (digit, other) in number.iter_mut().zip(modulus) {
            let sum = factor.wrapping_mul(*other).wrapping_add(*digit).wrapping_add(carry);
            *digit = sum & DIGIT_MASK;
            carry = sum >> DIGIT_BITS;
        }
        // The lowest digit is zero, and its place is the carry's.
        number.rotate_left(1);
        if let Some(last) = number.last_mut() {
            *last = carry;
        }
        factor
    };
    let factor = (0..count).map(|_| step()).collect();
    (factor, number.into())
}

/// 2^`exponent` modulo an odd modulus that is not above it.
pub(super) fn power_of_two(exponent: usize, modulus: &[i32]) -> Box<[i32]> {
    let mut number: Box<[i32]> = modulus.iter().map(|_| 0).collect();
    let mut doublings = exponent;
    // From the modulus' highest bit on.
    let digits = (0_usize..).step_by(DIGIT_BITS as usize).zip(number.iter_mut().zip(modulus));
    if let Some((bits, (digit, other))) = digits.filter(|(_, (_, other))| **other != 0).last() {
        let bit = other.checked_ilog2().unwrap_or_default();
        *digit = 1_i32.wrapping_shl(bit);
        doublings = doublings.wrapping_sub(bits.wrapping_add(bit as usize));
    }
    // One is the only odd number that is such a power itself.
    subtract_while_not_below(&mut number, modulus);
    for _ in 0..doublings {
        let mut carry = 0;
        for digit in &mut number {
            let doubled = *digit << 1 | carry;
            *digit = doubled & DIGIT_MASK;
            carry = doubled >> DIGIT_BITS;
        }
        subtract_while_not_below(&mut number, modulus);
    }
    number
}

/// A number above -2 times the modulus and little above it, whose digits may be of any size and sign, as one below the
/// modulus.
pub(super) fn least_residue(number: impl Iterator<Item = i32>, modulus: &[i32]) -> Box<[i32]> {
    let mut carry = 0;
    let raise = |(digit, other): (i32, &i32)| {
        let sum = other.wrapping_mul(2).wrapping_add(digit).wrapping_add(carry);
        carry = sum >> DIGIT_BITS;
        sum & DIGIT_MASK
    };
    let mut digits: Box<[i32]> = number.zip(modulus).map(raise).collect();
    subtract_while_not_below(&mut digits, modulus);
    digits
}

fn subtract_while_not_below(number: &mut [i32], modulus: &[i32]) {
    while number.iter().rev().ge(modulus.iter().rev()) {
        let mut carry = 0;
        for (digit, other) in number.iter_mut().zip(modulus) {
            let difference = digit.wrapping_sub(*other).wrapping_add(carry);
            *digit = difference & DIGIT_MASK;
            carry = difference >> DIGIT_BITS;
        }
    }
}
