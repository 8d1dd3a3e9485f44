//! Exponentiation modulo an odd number, by Montgomery's method.

/// An odd modulus, with what is precomputed from it.
pub(super) struct Modulus {
    /// Little-endian limbs.
    limbs: Box<[u32]>,
    /// R^2 modulo the modulus, R being 2^32 to the number of limbs.
    r_squared: Box<[u32]>,
    /// Minus the modulus' inverse, modulo 2^32.
    negated_inverse: u32,
    /// Bytes of the modulus.
    length: usize,
}

impl Modulus {
    /// From big-endian bytes without leading zeros. None if it is even.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let limbs = limbs(bytes, bytes.len().div_ceil(4));
        let lowest = *limbs.first().filter(|lowest| *lowest & 1 == 1)?;
        // Newton's iteration: an odd number is its own inverse modulo 8, and each round doubles the bits.
        let inverse =
            (0..4).fold(lowest, |inverse, _| inverse.wrapping_mul(2_u32.wrapping_sub(lowest.wrapping_mul(inverse))));
        let mut modulus =
            Self { r_squared: Box::default(), negated_inverse: inverse.wrapping_neg(), length: bytes.len(), limbs };
        modulus.r_squared = modulus.compute_r_squared();
        Some(modulus)
    }

    /// `base` to the power of `exponent`, which is odd and above 1, as big-endian bytes of the modulus' length.
    /// None unless the base is below the modulus.
    pub(super) fn power(&self, base: &[u8], exponent: u32) -> Option<Vec<u8>> {
        let base = limbs(base, self.limbs.len());
        if !less(&base, &self.limbs) {
            return None;
        }
        let mut scratch = vec![0; self.limbs.len().saturating_add(2)];
        let mut montgomery = vec![0; self.limbs.len()];
        self.multiply(&base, &self.r_squared, &mut scratch, &mut montgomery);
        let mut power = montgomery.clone();
        let mut next = montgomery.clone();
        let highest = exponent.checked_ilog2()?;
        for bit in (1..highest).rev() {
            self.multiply(&power, &power, &mut scratch, &mut next);
            core::mem::swap(&mut power, &mut next);
            if exponent.checked_shr(bit)? & 1 == 1 {
                self.multiply(&power, &montgomery, &mut scratch, &mut next);
                core::mem::swap(&mut power, &mut next);
            }
        }
        // The lowest bit is set: multiplying by the plain base also leads back from Montgomery's form.
        self.multiply(&power, &power, &mut scratch, &mut next);
        self.multiply(&next, &base, &mut scratch, &mut power);
        let bytes = power.iter().rev().flat_map(|limb| limb.to_be_bytes());
        let surplus = power.len().saturating_mul(4).saturating_sub(self.length);
        Some(bytes.skip(surplus).collect())
    }

    fn compute_r_squared(&self) -> Box<[u32]> {
        let count = self.limbs.len();
        // R modulo the modulus: 2^32 to the count, by doubling from 1.
        let mut value = vec![0_u32; count];
        if let Some(first) = value.first_mut() {
            *first = 1;
        }
        for _ in 0..count.saturating_mul(64) {
            let mut carry = 0;
            for limb in value.iter_mut() {
                let doubled = *limb << 1 | carry;
                carry = *limb >> 31;
                *limb = doubled;
            }
            if carry == 1 || !less(&value, &self.limbs) {
                subtract(&mut value, &self.limbs);
            }
        }
        value.into()
    }

    /// `out` = a * b / R, below the modulus if a or b is.
    fn multiply(&self, a: &[u32], b: &[u32], scratch: &mut [u32], out: &mut [u32]) {
        scratch.fill(0);
        for b in b {
            let carry = multiply_add(scratch, a, *b);
            debug_assert_eq!(carry, 0);
            let lowest = scratch.first().copied().unwrap_or_default();
            multiply_add(scratch, &self.limbs, lowest.wrapping_mul(self.negated_inverse));
            scratch.rotate_left(1);
        }
        let (low, high) = scratch.split_at(out.len());
        out.copy_from_slice(low);
        if high.iter().any(|limb| *limb != 0) || !less(out, &self.limbs) {
            subtract(out, &self.limbs);
        }
    }
}

/// Little-endian limbs of a big-endian number.
fn limbs(bytes: &[u8], count: usize) -> Box<[u32]> {
    let mut limbs: Vec<u32> =
        bytes.rchunks(4).map(|chunk| chunk.iter().fold(0, |limb, byte| limb << 8 | u32::from(*byte))).collect();
    limbs.resize(count, 0);
    limbs.into()
}

fn less(a: &[u32], b: &[u32]) -> bool {
    a.iter().rev().lt(b.iter().rev())
}

fn subtract(a: &mut [u32], b: &[u32]) {
    let mut borrow = false;
    for (a, b) in a.iter_mut().zip(b) {
        let (difference, first) = a.overflowing_sub(*b);
        let (difference, second) = difference.overflowing_sub(u32::from(borrow));
        *a = difference;
        borrow = first | second;
    }
}

fn multiply_add(sum: &mut [u32], a: &[u32], b: u32) -> u32 {
    let mut carry = 0_u64;
    for (sum, a) in sum.iter_mut().zip(a.iter().chain(core::iter::repeat(&0))) {
        let value = u64::from(*a).wrapping_mul(u64::from(b)).wrapping_add(u64::from(*sum)).wrapping_add(carry);
        *sum = value as u32;
        carry = value >> 32;
    }
    carry as u32
}
