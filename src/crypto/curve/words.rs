//! Numbers of up to 256 bits, as digits of one size or another.

/// A number in words of 30 bits, the least significant first.
pub(in crate::crypto) type Words = [u32; WORDS];

pub(in crate::crypto) const WORDS: usize = 9;
pub(in crate::crypto) const WORD_BITS: usize = 30;

#[inline(never)]
pub(in crate::crypto) fn from_little_endian(bytes: &[u8; 32]) -> Words {
    let mut digits = [0; 8];
    for (digit, bytes) in digits.iter_mut().zip(bytes.as_chunks().0) {
        *digit = u32::from_le_bytes(*bytes);
    }
    regroup(&digits, 32, WORD_BITS)
}

#[inline(never)]
pub(in crate::crypto) fn from_big_endian(bytes: &[u8; 32]) -> Words {
    let mut digits = [0; 8];
    for (digit, bytes) in digits.iter_mut().rev().zip(bytes.as_chunks().0) {
        *digit = u32::from_be_bytes(*bytes);
    }
    regroup(&digits, 32, WORD_BITS)
}

/// Of a number below 2^256.
#[inline(never)]
pub(in crate::crypto) fn to_little_endian(words: &Words) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, digit) in bytes.as_chunks_mut().0.iter_mut().zip(regroup::<8>(words, WORD_BITS, 32)) {
        *bytes = digit.to_le_bytes();
    }
    bytes
}

/// Of a number below 2^256.
#[inline(never)]
pub(in crate::crypto) fn to_big_endian(words: &Words) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, digit) in bytes.as_chunks_mut().0.iter_mut().rev().zip(regroup::<8>(words, WORD_BITS, 32)) {
        *bytes = digit.to_be_bytes();
    }
    bytes
}

/// A number's digits of `from` bits as digits of `to` bits, the least significant first. Both are 32 at most.
pub(in crate::crypto) fn regroup<const N: usize>(digits: &[u32], from: usize, to: usize) -> [u32; N] {
    let mut regrouped = [0; N];
    regroup_into(&mut regrouped, digits, from, to);
    regrouped
}

/// Once for all lengths: the module's size counts for more than a few nanoseconds.
#[inline(never)]
fn regroup_into(regrouped: &mut [u32], digits: &[u32], from: usize, to: usize) {
    let mut digits = digits.iter();
    let mask = 1_u64.wrapping_shl(to as u32).wrapping_sub(1);
    let (mut pending, mut bits) = (0_u64, 0_usize);
    for place in regrouped {
        while bits < to {
            pending |= u64::from(digits.next().copied().unwrap_or_default()).wrapping_shl(bits as u32);
            bits = bits.wrapping_add(from);
        }
        *place = (pending & mask) as u32;
        pending = pending.wrapping_shr(to as u32);
        bits = bits.wrapping_sub(to);
    }
}
