//! Exponentiation modulo an odd number, by Montgomery's method, for RSA's public operation.
//!
//! All numbers are public, so that the time it takes may depend on them; for the same reason nothing here may be used
//! with a private key.
//!
//! WebAssembly multiplies 32 by 32 bits to 64 and has no carry flag, so limbs have 27 bits: 64 bits then hold the sum
//! of all products of a column, and carries cost one shift a column instead of two additions a product. (Limbs of 32
//! bits with a carry each took 78 us in V8 where this takes 70, for RSA-2048 and the exponent 65537.)

/// An odd modulus, with what is precomputed from it. It has `count` limbs, and R is 2^(27 * `count`).
pub(super) struct Modulus {
    /// Limbs, the least significant first, as everywhere here.
    limbs: Box<[u32]>,
    /// The same, the most significant first.
    reversed: Box<[u32]>,
    /// R^2 modulo the modulus, which leads a number into Montgomery's form.
    r_squared: Box<[u32]>,
    /// Minus the modulus' inverse, modulo 2^27.
    negated_inverse: u32,
    /// Bytes of the modulus.
    length: usize,
}

impl Modulus {
    /// From big-endian bytes without leading zeros. None if it is even, or has too many limbs.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let count = bytes.len().saturating_mul(8).div_ceil(LIMB_BITS as usize);
        let limbs = to_limbs(bytes, count);
        let lowest = *limbs.first().filter(|lowest| *lowest & 1 == 1)?;
        if count > MOST_LIMBS {
            return None;
        }
        // Newton's iteration: an odd number is its own inverse modulo 8, and each round doubles the bits.
        let inverse =
            (0..4).fold(lowest, |inverse, _| inverse.wrapping_mul(2_u32.wrapping_sub(lowest.wrapping_mul(inverse))));
        let mut modulus = Self {
            reversed: limbs.iter().rev().copied().collect(),
            r_squared: Box::default(),
            negated_inverse: inverse.wrapping_neg() & MASK,
            length: bytes.len(),
            limbs,
        };
        modulus.r_squared = modulus.compute_r_squared();
        Some(modulus)
    }

    /// `base` to the power of `exponent`, as big-endian bytes of the modulus' length.
    ///
    /// None unless the base has as many bytes and is below the modulus, and the exponent is odd and above 1.
    pub(super) fn power(&self, base: &[u8], exponent: u32) -> Option<Vec<u8>> {
        if base.len() != self.length {
            return None;
        }
        let base = to_limbs(base, self.limbs.len());
        if !less(&base, &self.limbs) || exponent < 2 || exponent.is_multiple_of(2) {
            return None;
        }
        let mut space = Space::of(self.limbs.len());
        let mut power = base.clone();
        self.multiply(&mut power, &self.r_squared, &mut space);
        self.raise(&mut power, exponent >> 1, &mut space);
        self.square(&mut power, &mut space);
        // The exponent's lowest bit: multiplying by the plain base also leads back from Montgomery's form.
        self.multiply(&mut power, &base, &mut space);
        Some(to_bytes(&power, self.length))
    }

    /// Raises a number in Montgomery's form to the power of `exponent`, which is not 0.
    fn raise(&self, number: &mut [u32], exponent: u32, space: &mut Space) {
        let base: Box<[u32]> = (&*number).into();
        for bit in (0..exponent.checked_ilog2().unwrap_or_default()).rev() {
            self.square(number, space);
            if exponent.wrapping_shr(bit) & 1 == 1 {
                self.multiply(number, &base, space);
            }
        }
    }

    /// `a` becomes a * b / R modulo the modulus. Both are below it.
    fn multiply(&self, a: &mut [u32], b: &[u32], space: &mut Space) {
        space.load(b);
        let (reversed, quotients) = (&*space.reversed, &mut *space.quotients);
        let mut sum = 0;
        for column in 0..a.len() {
            sum = add(sum, lower_column(a, reversed, column));
            sum = self.reduce_lower(sum, column, quotients);
        }
        for place in 0..a.len() {
            let column = place.wrapping_add(a.len());
            sum = add(sum, upper_column(a, reversed, column));
            sum = add(sum, upper_column(quotients, &self.reversed, column));
            // Later columns need only higher limbs of a.
            sum = store(a, place, sum);
        }
        self.subtract_once(a, sum);
    }

    /// `a` becomes a * a / R modulo the modulus. It is below it.
    fn square(&self, a: &mut [u32], space: &mut Space) {
        space.load(a);
        let (reversed, quotients) = (&*space.reversed, &mut *space.quotients);
        let mut sum = 0;
        for column in 0..a.len() {
            sum = add(sum, square_column(a, reversed, column));
            sum = self.reduce_lower(sum, column, quotients);
        }
        for place in 0..a.len() {
            let column = place.wrapping_add(a.len());
            sum = add(sum, square_column(a, reversed, column));
            sum = add(sum, upper_column(quotients, &self.reversed, column));
            // Later columns need only higher limbs of a.
            sum = store(a, place, sum);
        }
        self.subtract_once(a, sum);
    }

    /// Adds the multiple of the modulus that makes this column zero, and gives the carry into the next.
    fn reduce_lower(&self, sum: u64, column: usize, quotients: &mut [u32]) -> u64 {
        // The column's own quotient is still zero here.
        let sum = add(sum, lower_column(quotients, &self.reversed, column));
        let quotient = (sum as u32).wrapping_mul(self.negated_inverse) & MASK;
        if let Some(place) = quotients.get_mut(column) {
            *place = quotient;
        }
        let lowest = self.limbs.first().copied().unwrap_or_default();
        add(sum, product(quotient, lowest)) >> LIMB_BITS
    }

    /// Brings a number below twice the modulus, whose highest part is `carry`, below the modulus.
    fn subtract_once(&self, number: &mut [u32], carry: u64) {
        if carry == 0 && less(number, &self.limbs) {
            return;
        }
        let mut borrow = 0;
        for (limb, other) in number.iter_mut().zip(&self.limbs) {
            let difference = limb.wrapping_sub(*other).wrapping_sub(borrow);
            *limb = difference & MASK;
            borrow = difference >> 31;
        }
    }

    /// Doubles a number below the modulus.
    fn double(&self, number: &mut [u32]) {
        let mut carry = 0;
        for limb in number.iter_mut() {
            let doubled = *limb << 1 | carry;
            *limb = doubled & MASK;
            carry = doubled >> LIMB_BITS;
        }
        self.subtract_once(number, carry.into());
    }

    fn compute_r_squared(&self) -> Box<[u32]> {
        // From the modulus' highest bit to R takes a few doublings, and leads to R modulo the modulus, Montgomery's
        // form of 1. As many doublings as there are limbs lead to that of 2^count, whose 27th power is R.
        let mut number: Box<[u32]> = vec![0; self.limbs.len()].into();
        let mut doublings = self.limbs.len();
        // Limbs are counted by whole bytes, so that the highest may be zero.
        for (place, limb) in number.iter_mut().zip(&self.limbs).rev() {
            doublings = doublings.wrapping_add(LIMB_BITS as usize);
            if let Some(highest_bit) = limb.checked_ilog2() {
                *place = 1_u32.wrapping_shl(highest_bit);
                doublings = doublings.wrapping_sub(highest_bit as usize);
                break;
            }
        }
        for _ in 0..doublings {
            self.double(&mut number);
        }
        self.raise(&mut number, LIMB_BITS, &mut Space::of(self.limbs.len()));
        number
    }
}

/// What a multiplication needs beside its operands, made once for many.
struct Space {
    /// The second factor, the most significant limb first.
    reversed: Box<[u32]>,
    /// The multiples of the modulus that were added, by column.
    quotients: Box<[u32]>,
}

impl Space {
    fn of(count: usize) -> Self {
        Self { reversed: vec![0; count].into(), quotients: vec![0; count].into() }
    }

    fn load(&mut self, factor: &[u32]) {
        for (place, limb) in self.reversed.iter_mut().zip(factor.iter().rev()) {
            *place = *limb;
        }
        self.quotients.fill(0);
    }
}

/// The sum of `a[i] * b[column - i]`, b being reversed, for a column below the number of limbs.
#[inline]
fn lower_column(a: &[u32], reversed: &[u32], column: usize) -> u64 {
    let end = column.wrapping_add(1);
    dot(a.get(..end).unwrap_or_default(), from(reversed, a.len().wrapping_sub(end)))
}

/// The same for the columns above, where a's limbs meet b's highest ones.
#[inline]
fn upper_column(a: &[u32], reversed: &[u32], column: usize) -> u64 {
    dot(from(a, column.wrapping_add(1).wrapping_sub(a.len())), reversed)
}

/// The sum of `a[i] * a[column - i]` for any column: each product of two different limbs is made once and counted twice.
#[inline]
fn square_column(a: &[u32], reversed: &[u32], column: usize) -> u64 {
    let end = column.wrapping_add(1);
    let lower_half = a.get(end.saturating_sub(a.len())..end >> 1).unwrap_or_default();
    let twice = dot(lower_half, from(reversed, a.len().saturating_sub(end))) << 1;
    if column.is_multiple_of(2) {
        let middle = a.get(column >> 1).copied().unwrap_or_default();
        add(twice, product(middle, middle))
    } else {
        twice
    }
}

/// The sum of the products of the limbs of two slices, as far as the shorter one goes.
#[inline]
fn dot(a: &[u32], b: &[u32]) -> u64 {
    let common = a.len().min(b.len());
    // Four at a time: in V8 the plain loop took 7 % longer, and eight at a time 10 %.
    let (a, a_rest) = a.get(..common).unwrap_or_default().as_chunks::<4>();
    let (b, b_rest) = b.get(..common).unwrap_or_default().as_chunks::<4>();
    let mut sum = 0;
    for (a, b) in a.iter().zip(b) {
        for (a, b) in a.iter().zip(b) {
            sum = add(sum, product(*a, *b));
        }
    }
    for (a, b) in a_rest.iter().zip(b_rest) {
        sum = add(sum, product(*a, *b));
    }
    sum
}

/// Never wraps: see [`MOST_LIMBS`].
#[inline]
fn add(sum: u64, summand: u64) -> u64 {
    sum.wrapping_add(summand)
}

/// Never wraps: 32 by 32 bits.
#[inline]
fn product(a: u32, b: u32) -> u64 {
    u64::from(a).wrapping_mul(u64::from(b))
}

/// Stores the lowest limb of a column's sum, and gives the carry into the next.
#[inline]
fn store(limbs: &mut [u32], place: usize, sum: u64) -> u64 {
    if let Some(limb) = limbs.get_mut(place) {
        *limb = sum as u32 & MASK;
    }
    sum >> LIMB_BITS
}

#[inline]
fn from(limbs: &[u32], start: usize) -> &[u32] {
    limbs.get(start..).unwrap_or_default()
}

fn less(a: &[u32], b: &[u32]) -> bool {
    a.iter().rev().lt(b.iter().rev())
}

/// Limbs of a big-endian number.
fn to_limbs(bytes: &[u8], count: usize) -> Box<[u32]> {
    let mut limbs = Vec::with_capacity(count);
    let (mut pending, mut bits) = (0_u64, 0_u32);
    for byte in bytes.iter().rev() {
        pending |= u64::from(*byte).wrapping_shl(bits);
        bits = bits.wrapping_add(8);
        if bits >= LIMB_BITS {
            limbs.push(pending as u32 & MASK);
            pending >>= LIMB_BITS;
            bits = bits.wrapping_sub(LIMB_BITS);
        }
    }
    limbs.push(pending as u32);
    limbs.resize(count, 0);
    limbs.into()
}

/// A big-endian number of `length` bytes.
fn to_bytes(limbs: &[u32], length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length.saturating_add(4));
    let (mut pending, mut bits) = (0_u64, 0_u32);
    for limb in limbs {
        pending |= u64::from(*limb).wrapping_shl(bits);
        bits = bits.wrapping_add(LIMB_BITS);
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

const LIMB_BITS: u32 = 27;
const MASK: u32 = (1 << LIMB_BITS) - 1;

/// Limbs of 8192 bits. A column of a product and its reduction sums up twice as many products of 54 bits, and a carry.
const MOST_LIMBS: usize = 8192_usize.div_ceil(LIMB_BITS as usize);
const _: () = assert!(2 * MOST_LIMBS < 1 << (64 - 2 * LIMB_BITS));

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn small_moduli_are_right_too() {
        for modulus in [3_u32, 5, 0xff, 0x0101, 0xffff_ffff, (1 << 27) - 1, (1 << 27) + 1] {
            let bytes: Vec<u8> = modulus.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            let own = Modulus::new(&bytes).unwrap();
            for base in [0, 1, 2, modulus / 2, modulus - 2, modulus - 1] {
                let base_bytes = &base.to_be_bytes()[4 - bytes.len()..];
                for exponent in [3, 5, 7, 65537, u32::MAX] {
                    let expected = (0..32).rev().fold(1, |power: u64, bit| {
                        let square = power * power % u64::from(modulus);
                        let factor = if exponent >> bit & 1 == 1 { u64::from(base) } else { 1 };
                        square * factor % u64::from(modulus)
                    });
                    let power = own.power(base_bytes, exponent).unwrap();
                    let power = power.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
                    assert_eq!(power, expected, "{base}^{exponent} mod {modulus}");
                }
            }
            assert_eq!(own.power(&bytes, 3), None);
            assert_eq!(own.power(&[&[0], &bytes[..]].concat(), 3), None);
            assert_eq!(own.power(&[], 3), None);
        }
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn unusable_numbers_are_refused() {
        assert!(Modulus::new(&[]).is_none());
        assert!(Modulus::new(&[2]).is_none());
        assert!(Modulus::new(&[1; 1027]).is_none());
        let modulus = Modulus::new(&[7]).unwrap();
        for exponent in [0, 1, 2, 65536] {
            assert_eq!(modulus.power(&[2], exponent), None);
        }
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn the_largest_modulus_has_room_for_every_column() {
        // All limbs are as large as they get: 2^8192 - 1, and minus one to an odd power is minus one.
        let modulus = Modulus::new(&[0xff; 1024]).unwrap();
        let mut minus_one = vec![0xff; 1024];
        minus_one[1023] = 0xfe;
        assert_eq!(modulus.power(&minus_one, 65537), Some(minus_one));
        // 2^8191 is 1/2, and 2^(8191 * 65537) is 2^(8191 * 65537 mod 8192) = 2^8191 - 65536 steps down.
        let mut half = vec![0; 1024];
        half[0] = 0x80;
        let exponent = 8191 * 65537 % 8192;
        let mut expected = vec![0; 1024];
        expected[1023 - exponent / 8] = 1 << (exponent % 8);
        assert_eq!(modulus.power(&half, 65537), Some(expected));
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn a_modulus_whose_highest_limb_is_zero_is_no_exception() {
        // 2^128 + 1 has 129 bits, five limbs, but its 17 bytes count six; 2^64 squared is minus one.
        let mut bytes = vec![0; 17];
        (bytes[0], bytes[16]) = (1, 1);
        let modulus = Modulus::new(&bytes).unwrap();
        assert_eq!(modulus.limbs.last(), Some(&0));
        let mut base = vec![0; 17];
        base[8] = 1;
        // 65537 is 1 modulo 4, and so the power is the base itself; the third power is its negative.
        assert_eq!(modulus.power(&base, 65537), Some(base.clone()));
        let negative = [&[0; 1][..], &[0xff; 8], &[0; 7], &[1]].concat();
        assert_eq!(modulus.power(&base, 3), Some(negative));
    }

    #[cfg(not(target_arch = "wasm32"))]
    mod cross_checks {
        use ::rsa::BigUint;
        use proptest::prelude::*;

        use super::*;

        proptest! {
            #![proptest_config(ProptestConfig::with_cases(256))]

            #[test]
            fn powers_are_those_of_the_rsa_crates_numbers(
                mut modulus in prop::collection::vec(any::<u8>(), 1..300),
                base in prop::collection::vec(any::<u8>(), 300),
                exponent in 1..u32::MAX / 2,
            ) {
                modulus[0] |= 1;
                *modulus.last_mut().unwrap() |= 1;
                prop_assume!(modulus != [1]);
                let exponent = 2 * exponent + 1;
                let number = BigUint::from_bytes_be(&modulus);
                let base = BigUint::from_bytes_be(&base) % &number;
                let mut bytes = base.to_bytes_be();
                bytes.splice(..0, vec![0; modulus.len() - bytes.len()]);
                let power = Modulus::new(&modulus).unwrap().power(&bytes, exponent).unwrap();
                prop_assert_eq!(power.len(), modulus.len());
                prop_assert_eq!(BigUint::from_bytes_be(&power), base.modpow(&exponent.into(), &number));
            }
        }
    }
}
