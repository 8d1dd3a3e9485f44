use ::rsa::BigUint;

use super::*;
use crate::test::test;

test!(small_moduli_are_right_too, {
    for modulus in [1_u32, 3, 5, 0xff, 0x0101, 0xffff_ffff, (1 << 13) - 1, (1 << 13) + 1, (1 << 27) - 1, (1 << 27) + 1]
    {
        let bytes: Vec<u8> = modulus.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
        let own = Modulus::new(&bytes).unwrap();
        for base in [0, 1, 2, modulus / 2, modulus.saturating_sub(2), modulus - 1] {
            if base >= modulus {
                continue;
            }
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
});

test!(unusable_numbers_are_refused, {
    assert!(Modulus::new(&[]).is_none());
    assert!(Modulus::new(&[2]).is_none());
    assert!(Modulus::new(&[1; 1025]).is_none());
    let modulus = Modulus::new(&[7]).unwrap();
    for exponent in [0, 1, 2, 65536] {
        assert_eq!(modulus.power(&[2], exponent), None);
    }
});

test!(moduli_of_ones_have_room_for_every_column, {
    for bits in [208, 2048, 2072, 2080, 3072, 4096, 8192] {
        let length = bits / 8;
        // 2^bits - 1, and minus one to an odd power is minus one.
        let modulus = Modulus::new(&vec![0xff; length]).unwrap();
        let mut minus_one = vec![0xff; length];
        minus_one[length - 1] = 0xfe;
        assert_eq!(modulus.power(&minus_one, 65537), Some(minus_one), "{bits}");
        // Powers of two are powers of two: 2^bits is one.
        for bit in [1, 12, 13, 207, bits / 2, bits - 1] {
            let power_of_two = |bit: usize| {
                let mut bytes = vec![0; length];
                bytes[length - 1 - bit / 8] = 1 << (bit % 8);
                bytes
            };
            for exponent in [3, 65537] {
                let expected = power_of_two(bit * exponent as usize % bits);
                assert_eq!(modulus.power(&power_of_two(bit), exponent), Some(expected), "2^{bit}, {bits}");
            }
        }
    }
});

test!(a_modulus_whose_highest_digits_are_zero_is_no_exception, {
    // 2^128 + 1 has 129 bits, ten digits of the sixteen; 2^64 squared is minus one.
    let mut bytes = vec![0; 17];
    (bytes[0], bytes[16]) = (1, 1);
    let modulus = Modulus::new(&bytes).unwrap();
    assert_eq!(modulus.digits[10..], [0; 6]);
    let mut base = vec![0; 17];
    base[8] = 1;
    // 65537 is 1 modulo 4, and so the power is the base itself; the third power is its negative.
    assert_eq!(modulus.power(&base, 65537), Some(base.clone()));
    let negative = [&[0; 1][..], &[0xff; 8], &[0; 7], &[1]].concat();
    assert_eq!(modulus.power(&base, 3), Some(negative));
});

test!(powers_are_those_of_schoolbook_arithmetic, {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    // Lengths at which another block begins are among them: 25 and 26 bytes, 259 and 260.
    for length in [1, 2, 3, 25, 26, 27, 51, 52, 256, 257, 259, 260, 261, 384, 512] {
        for kind in 0..4 {
            let mut modulus = random.bytes(length, kind);
            modulus[0] |= 1;
            modulus[length - 1] |= 1;
            let number = BigUint::from_bytes_be(&modulus);
            let own = Modulus::new(&modulus).unwrap();
            let mut minus_one = modulus.clone();
            minus_one[length - 1] ^= 1;
            let bases = [vec![0; length], [vec![0; length - 1], vec![1]].concat(), minus_one];
            for base in bases.into_iter().chain((0..4).map(|kind| random.bytes(length, kind))) {
                for exponent in [3, 65537] {
                    let expected = (base < modulus).then(|| {
                        let power = BigUint::from_bytes_be(&base).modpow(&exponent.into(), &number).to_bytes_be();
                        // Zero has one byte there.
                        [vec![0; length - power.len()], power].concat()
                    });
                    assert_eq!(own.power(&base, exponent), expected, "{base:x?}^{exponent} mod {modulus:x?}");
                }
            }
        }
    }
});

test!(quotients_of_extreme_digits_are_exact, {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for length in [60, 256, 384, 512, 1024] {
        for kind in 0..4 {
            let mut modulus = random.bytes(length, kind);
            modulus[0] = 0xff;
            modulus[length - 1] |= 1;
            let number = BigUint::from_bytes_be(&modulus);
            let own = Modulus::new(&modulus).unwrap();
            let count = own.digits.len();
            let r = BigUint::from(1_u8) << (13 * count);
            // As large as digits get, and a number not above the modulus.
            let used = length * 8 / 13 - 1;
            for pattern in [[4128, 4128], [-4128, -4128], [4128, -4128], [-4096, 4095], [-1, 0], [1, -4128]] {
                let digits: Vec<i32> = (0..count).map(|i| if i < used { pattern[i % 2] } else { 0 }).collect();
                let mut one = vec![0; count];
                one[0] = 1;
                let mut product = Number::new(&digits);
                own.multiply(&mut product, &Number::new(&one).rows, &mut own.space());
                assert_eq!(residue(product.digits(), &number) * &r % &number, residue(digits.iter().copied(), &number));
                let mut square = Number::new(&digits);
                own.square(&mut square, &mut own.space());
                let root = residue(digits.iter().copied(), &number);
                assert_eq!(residue(square.digits(), &number) * &r % &number, &root * &root % &number);
                assert!(square.digits().all(|digit| digit.abs() <= 4128));
            }
        }
    }
});

/// Of signed digits.
fn residue(digits: impl Iterator<Item = i32>, modulus: &BigUint) -> BigUint {
    let digits: Vec<i32> = digits.collect();
    digits.iter().rev().fold(BigUint::from(0_u8), |number, digit| {
        let digit = modulus * (1_u32 << 14) + digit.max(&0).unsigned_abs() - digit.min(&0).unsigned_abs();
        ((number << 13) + digit) % modulus
    })
}

/// The same numbers in every run (xorshift64).
struct Random(u64);

impl Random {
    /// Bytes, or ones, or runs of ones and zeros.
    fn bytes(&mut self, length: usize, kind: u32) -> Vec<u8> {
        let mut byte = |i: usize| {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            let random = (self.0 >> 32) as u8;
            match kind {
                0 | 1 => random,
                2 => 0xff,
                _ if i.is_multiple_of(16) => random,
                _ => (random & 1).wrapping_neg(),
            }
        };
        (0..length).map(&mut byte).collect()
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod cross_checks {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn powers_are_those_of_the_rsa_crates_numbers(
            mut modulus in prop_oneof![
                prop::collection::vec(any::<u8>(), 1..300),
                prop::sample::select(vec![256, 384, 512])
                    .prop_flat_map(|length| prop::collection::vec(any::<u8>(), length)),
            ],
            base in prop::collection::vec(any::<u8>(), 512),
            exponent in prop_oneof![1 => Just(65537), 1 => (1..=u32::MAX / 2).prop_map(|half| 2 * half + 1)],
        ) {
            modulus[0] |= 1;
            *modulus.last_mut().unwrap() |= 1;
            prop_assume!(modulus != [1]);
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
