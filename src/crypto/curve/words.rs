//! Numbers as digits of one size or another.

/// A number in words of 30 bits, the least significant first.
pub(in crate::crypto) type Words<const N: usize> = [u32; N];

pub(in crate::crypto) const WORD_BITS: usize = 30;

#[inline(never)]
pub(in crate::crypto) fn from_little_endian<const N: usize>(bytes: &[u8; 32]) -> Words<N> {
    let mut digits = [0; 8];
    for (digit, bytes) in digits.iter_mut().zip(bytes.as_chunks().0) {
        *digit = u32::from_le_bytes(*bytes);
    }
    regroup(&digits, 32, WORD_BITS)
}

/// Of at most 66 bytes, as long as a coordinate of P-521.
#[inline(never)]
pub(in crate::crypto) fn from_big_endian<const N: usize>(bytes: &[u8]) -> Words<N> {
    let mut digits = [0; 66_usize.div_ceil(4)];
    let (highest, bytes) = bytes.as_rchunks();
    let highest = highest.iter().fold(0, |digit, byte| digit << 8 | u32::from(*byte));
    let values = bytes.iter().rev().map(|bytes| u32::from_be_bytes(*bytes)).chain([highest]);
    for (digit, value) in digits.iter_mut().zip(values) {
        *digit = value;
    }
    regroup(&digits, 32, WORD_BITS)
}

/// Of a number below 2^256.
#[inline(never)]
pub(in crate::crypto) fn to_little_endian<const N: usize>(words: &Words<N>) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, digit) in bytes.as_chunks_mut().0.iter_mut().zip(regroup::<8>(words, WORD_BITS, 32)) {
        *bytes = digit.to_le_bytes();
    }
    bytes
}

/// A constant as the standards print it: what is no hexadecimal digit only divides the digits.
pub(in crate::crypto) const fn from_hex<const N: usize>(hex: &str) -> Words<N> {
    let mut words = [0; N];
    let mut characters = hex.as_bytes();
    while let [character, rest @ ..] = characters {
        characters = rest;
        let Some(digit) = (*character as char).to_digit(16) else {
            continue;
        };
        append(&mut words, 4, digit);
    }
    words
}

/// Makes the number 2^`bits` times as large, and adds a digit below that.
pub(in crate::crypto) const fn append<const N: usize>(number: &mut Words<N>, bits: u32, digit: u32) {
    let mut carry = digit;
    let mut words = number.as_mut_slice();
    while let [word, rest @ ..] = words {
        let shifted = (*word as u64).wrapping_shl(bits);
        *word = shifted as u32 & WORD_MASK | carry;
        carry = (shifted >> WORD_BITS) as u32;
        words = rest;
    }
}

/// Subtracts, and says whether the difference is negative.
pub(in crate::crypto) const fn subtract<const N: usize>(number: &mut Words<N>, less: &Words<N>) -> bool {
    let mut borrow = 0_i32;
    let (mut words, mut less) = (number.as_mut_slice(), less.as_slice());
    while let ([word, rest @ ..], [other, others @ ..]) = (words, less) {
        let difference = (*word as i32).wrapping_sub(*other as i32).wrapping_add(borrow);
        *word = difference as u32 & WORD_MASK;
        borrow = difference >> WORD_BITS;
        (words, less) = (rest, others);
    }
    borrow < 0
}

/// A number's digits of `from` bits as digits of `to` bits, the least significant first. Both are 32 at most.
pub(in crate::crypto) const fn regroup<const N: usize>(digits: &[u32], from: usize, to: usize) -> [u32; N] {
    let mut regrouped = [0; N];
    regroup_into(&mut regrouped, digits, from, to);
    regrouped
}

/// Once for all lengths: the module's size counts for more than a few nanoseconds.
#[inline(never)]
pub(in crate::crypto) const fn regroup_into(regrouped: &mut [u32], digits: &[u32], from: usize, to: usize) {
    let (mut places, mut digits) = (regrouped, digits);
    let mask = 1_u64.wrapping_shl(to as u32).wrapping_sub(1);
    let (mut pending, mut bits) = (0_u64, 0_usize);
    while let [place, rest @ ..] = places {
        while bits < to {
            if let [digit, others @ ..] = digits {
                pending |= (*digit as u64).wrapping_shl(bits as u32);
                digits = others;
            }
            bits = bits.wrapping_add(from);
        }
        *place = (pending & mask) as u32;
        pending = pending.wrapping_shr(to as u32);
        bits = bits.wrapping_sub(to);
        places = rest;
    }
}

const WORD_MASK: u32 = (1 << WORD_BITS) - 1;
