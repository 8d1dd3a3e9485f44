//! RSASSA-PKCS1-v1_5 and RSASSA-PSS (RFC 8017 §8), verification alone.
//!
//! All numbers here are public, so that the time it takes may depend on them.

use sha2::{Digest, Sha256, Sha384, Sha512, digest::Output};

use super::{Algorithm, AlgorithmSet, KeyError};

mod digits;
mod lanes;
mod montgomery;
mod sums;

use montgomery::Modulus;

/// An RSA public key.
pub(super) struct Key {
    modulus: Modulus,
    /// Bits of the modulus.
    bits: usize,
    exponent: u32,
}

impl Key {
    pub(super) fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let modulus = without_leading_zeros(modulus);
        let bits = bit_length(modulus);
        if bits < LEAST_BITS {
            return Err(KeyError::ModulusTooShort { bits, least: LEAST_BITS });
        }
        if bits > MOST_BITS {
            return Err(KeyError::ModulusTooLong { bits, most: MOST_BITS });
        }
        let exponent = public_exponent(exponent)?;
        let modulus = Modulus::new(modulus).ok_or(KeyError::EvenModulus)?;
        Ok(Self { modulus, bits, exponent })
    }

    pub(super) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match algorithm {
            Algorithm::Rs256 => self.verify_pkcs1::<Sha256>(&SHA256_PREFIX, message, signature),
            Algorithm::Rs384 => self.verify_pkcs1::<Sha384>(&SHA384_PREFIX, message, signature),
            Algorithm::Rs512 => self.verify_pkcs1::<Sha512>(&SHA512_PREFIX, message, signature),
            Algorithm::Ps256 => self.verify_pss::<Sha256>(message, signature),
            Algorithm::Ps384 => self.verify_pss::<Sha384>(message, signature),
            Algorithm::Ps512 => self.verify_pss::<Sha512>(message, signature),
            _ => false,
        }
    }

    /// RFC 8017 §8.2.2. The one good encoding is built and compared whole: nothing is parsed, so that there is
    /// nothing for a forger to hide in (Bleichenbacher's forgery of 2006 and its heirs).
    fn verify_pkcs1<D: Digest>(&self, prefix: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let Some(encoded) = self.recover(signature) else {
            return false;
        };
        let hash = D::digest(message);
        // EMSA-PKCS1-v1_5 (§9.2): 0x00 0x01 0xff... 0x00 DigestInfo.
        let padding = encoded.len().saturating_sub(prefix.len().saturating_add(hash.len()).saturating_add(3));
        let expected = [0x00, 0x01]
            .into_iter()
            .chain(core::iter::repeat_n(0xff, padding))
            .chain([0x00])
            .chain(prefix.iter().copied())
            .chain(hash.iter().copied());
        expected.eq(encoded.iter().copied())
    }

    /// RFC 8017 §8.1.2, with MGF1 of the same hash and a salt as long as the hash (RFC 7518 §3.5).
    fn verify_pss<D: Digest>(&self, message: &[u8], signature: &[u8]) -> bool {
        self.recover(signature)
            .and_then(|encoded| verify_pss_encoding::<D>(message, &encoded, self.bits.saturating_sub(1)))
            .is_some()
    }

    /// RSAVP1 (RFC 8017 §5.2.2), as many bytes as the modulus has. None if the signature is not exactly as long as the
    /// modulus, or stands for a number that is not below it.
    fn recover(&self, signature: &[u8]) -> Option<Vec<u8>> {
        if signature.len() != self.bits.div_ceil(8) {
            return None;
        }
        self.modulus.power(signature, self.exponent)
    }
}

/// EMSA-PSS-VERIFY (RFC 8017 §9.1.2), whose steps are numbered here. `bits` is the "emBits" there.
fn verify_pss_encoding<D: Digest>(message: &[u8], encoded: &[u8], bits: usize) -> Option<()> {
    let hash_length = <D as Digest>::output_size();
    let message_hash = D::digest(message);
    // Where the modulus has one bit more than whole bytes, the encoding is one byte shorter than it (§8.1.2 step 2c).
    let surplus = encoded.len().checked_sub(bits.div_ceil(8))?;
    let (zeros, encoded) = encoded.split_at_checked(surplus)?;
    // 3, 4, 5: lengths, and the trailer.
    let (rest, [0xbc]) = encoded.split_last_chunk()? else {
        return None;
    };
    let (masked, hash) = rest.split_at_checked(rest.len().checked_sub(hash_length)?)?;
    // 6: bits that the encoding has no room for.
    let unused = encoded.len().checked_mul(8)?.checked_sub(bits)?;
    let mask = 0xff_u8.checked_shr(u32::try_from(unused).ok()?)?;
    if zeros.iter().any(|byte| *byte != 0) || masked.first()? & !mask != 0 {
        return None;
    }
    // 7, 8, 9.
    let mut block: Vec<u8> = masked.to_vec();
    mask_with_mgf1::<D>(&mut block, hash);
    *block.first_mut()? &= mask;
    // 10, 11: zeros, a one, and the salt.
    let (padding, salt) = block.split_at_checked(block.len().checked_sub(hash_length)?)?;
    let ([zeros @ .., 0x01], salt) = (padding, salt) else {
        return None;
    };
    if zeros.iter().any(|byte| *byte != 0) {
        return None;
    }
    // 12, 13, 14.
    let expected: Output<D> = D::new().chain_update([0; 8]).chain_update(message_hash).chain_update(salt).finalize();
    (*expected == *hash).then_some(())
}

/// Exclusive or of `block` and MGF1 of `seed` (RFC 8017 §B.2.1).
fn mask_with_mgf1<D: Digest>(block: &mut [u8], seed: &[u8]) {
    for (counter, chunk) in (0_u32..).zip(block.chunks_mut(<D as Digest>::output_size())) {
        let mask = D::new().chain_update(seed).chain_update(counter.to_be_bytes()).finalize();
        for (byte, mask) in chunk.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    }
}

fn public_exponent(bytes: &[u8]) -> Result<u32, KeyError> {
    let bytes = without_leading_zeros(bytes);
    let bits = bit_length(bytes);
    if bits > EXPONENT_BITS {
        return Err(KeyError::ExponentTooLarge { bits, most: EXPONENT_BITS });
    }
    let exponent = bytes.iter().fold(0_u32, |exponent, byte| exponent << 8 | u32::from(*byte));
    if exponent < LEAST_EXPONENT {
        return Err(KeyError::ExponentTooSmall { exponent, least: LEAST_EXPONENT });
    }
    if exponent.is_multiple_of(2) {
        return Err(KeyError::EvenExponent { exponent });
    }
    Ok(exponent)
}

fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// Bits of a big-endian number without leading zero bytes.
fn bit_length(bytes: &[u8]) -> usize {
    let unused = bytes.first().map_or(0, |byte| byte.leading_zeros());
    bytes.len().saturating_mul(8).saturating_sub(usize::try_from(unused).unwrap_or_default())
}

/// What an RSA key can verify.
pub(super) const ALGORITHMS: AlgorithmSet = AlgorithmSet::of(&[
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
]);

const LEAST_BITS: usize = 2048;
const MOST_BITS: usize = 8192;
const LEAST_EXPONENT: u32 = 65537;
const EXPONENT_BITS: usize = 32;

// DER of a DigestInfo up to the hash (RFC 8017 §9.2 note 1).
const SHA256_PREFIX: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];
const SHA384_PREFIX: [u8; 19] =
    [0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30];
const SHA512_PREFIX: [u8; 19] =
    [0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40];

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn salts_of_other_lengths_are_refused() {
        let key = key();
        let good = include_bytes!("../../tests/vectors/crypto/ps256.sig");
        let twenty = include_bytes!("../../tests/vectors/crypto/ps256_salt20.sig");
        let longest = include_bytes!("../../tests/vectors/crypto/ps256_saltmax.sig");
        assert!(key.verify(Algorithm::Ps256, MESSAGE, good));
        assert!(!key.verify(Algorithm::Ps256, MESSAGE, twenty));
        assert!(!key.verify(Algorithm::Ps256, MESSAGE, longest));
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn a_signature_is_below_the_modulus() {
        let key = key();
        let signature = include_bytes!("../../tests/vectors/crypto/rs256.sig");
        let modulus = modulus();
        assert!(key.recover(signature).is_some());
        assert!(key.recover(&modulus).is_none());
        assert!(key.recover(&[0xff; 256]).is_none());
        // s + n stands for the same number, and fits where n is small enough.
        let (mut carry, mut sum) = (0, signature.to_vec());
        for (byte, other) in sum.iter_mut().zip(&modulus).rev() {
            let value = u16::from(*byte) + u16::from(*other) + carry;
            (*byte, carry) = (value as u8, value >> 8);
        }
        assert!(!key.verify(Algorithm::Rs256, MESSAGE, &sum));
        assert!(!key.verify(Algorithm::Rs256, MESSAGE, &[&[carry as u8][..], &sum].concat()));
        let mut more = modulus.clone();
        more[255] += 1;
        assert!(key.recover(&more).is_none());
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn zero_one_and_minus_one_recover_to_themselves_and_verify_nothing() {
        let key = key();
        let zero = vec![0; 256];
        let one = [vec![0; 255], vec![1]].concat();
        let mut minus_one = modulus();
        minus_one[255] -= 1;
        for signature in [zero, one, minus_one] {
            // The exponent is odd.
            assert_eq!(key.recover(&signature).as_ref(), Some(&signature));
            for algorithm in ALGORITHMS.iter() {
                assert!(!key.verify(algorithm, MESSAGE, &signature));
            }
        }
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn leading_zeros_do_not_make_another_key() {
        let signature = include_bytes!("../../tests/vectors/crypto/rs256.sig");
        let padded = [vec![0; 9], modulus()].concat();
        let key = Key::new(&padded, &[0, 0, 0, 0, 1, 0, 1]).ok().unwrap();
        assert!(key.verify(Algorithm::Rs256, MESSAGE, signature));
        // The signature's length is the modulus', without its zeros.
        assert!(!key.verify(Algorithm::Rs256, MESSAGE, &[&[0; 9][..], signature].concat()));
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn moduli_out_of_bounds_and_even_ones_are_refused() {
        let with_bits = |bits: usize| {
            let mut modulus = vec![0; bits.div_ceil(8)];
            modulus[0] = 1 << ((bits - 1) % 8);
            *modulus.last_mut().unwrap() |= 1;
            modulus
        };
        let error = |modulus: &[u8]| Key::new(modulus, &[1, 0, 1]).err();
        for bits in [2048, 2049, 2056, 2057, 4096, 8191, 8192] {
            assert_eq!(error(&with_bits(bits)), None, "{bits}");
        }
        for bits in [1, 512, 1024, 2047] {
            assert_eq!(error(&with_bits(bits)), Some(KeyError::ModulusTooShort { bits, least: 2048 }));
        }
        for bits in [8193, 8200, 16384, 1 << 20] {
            assert_eq!(error(&with_bits(bits)), Some(KeyError::ModulusTooLong { bits, most: 8192 }));
        }
        for empty in [&[][..], &[0], &[0; 256]] {
            assert_eq!(error(empty), Some(KeyError::ModulusTooShort { bits: 0, least: 2048 }));
        }
        let mut even = modulus();
        even[255] &= 0xfe;
        assert_eq!(error(&even), Some(KeyError::EvenModulus));
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn exponents_out_of_bounds_and_even_ones_are_refused() {
        for (bytes, expected) in [
            (&[1, 0, 1][..], Ok(65537)),
            (&[0, 1, 0, 1], Ok(65537)),
            (&[0xff; 4], Ok(u32::MAX)),
            (&[], Err(KeyError::ExponentTooSmall { exponent: 0, least: 65537 })),
            (&[3], Err(KeyError::ExponentTooSmall { exponent: 3, least: 65537 })),
            (&[0xff, 0xff], Err(KeyError::ExponentTooSmall { exponent: 65535, least: 65537 })),
            (&[1, 0, 2], Err(KeyError::EvenExponent { exponent: 65538 })),
            (&[1, 0, 0, 0, 1], Err(KeyError::ExponentTooLarge { bits: 33, most: 32 })),
            (&[0xff; 300], Err(KeyError::ExponentTooLarge { bits: 2400, most: 32 })),
        ] {
            assert_eq!(public_exponent(bytes), expected);
        }
    }

    fn key() -> Key {
        Key::new(&modulus(), &[1, 0, 1]).ok().unwrap()
    }

    fn modulus() -> Vec<u8> {
        // The number of 257 bytes with its leading zero, after the headers of SubjectPublicKeyInfo and RSAPublicKey.
        let pem = include_str!("../../tests/vectors/crypto/rsa2048.pem");
        let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, base64).unwrap();
        der[33..289].to_vec()
    }

    const MESSAGE: &[u8] = b"header.payload";
}

/// The same verdicts as the rsa crate's, on keys of every shape.
#[cfg(all(test, not(target_arch = "wasm32")))]
mod cross_checks {
    use std::sync::LazyLock;

    use ::rsa::{BigUint, Pkcs1v15Sign, Pss, RsaPrivateKey, pkcs8::DecodePrivateKey, traits::PublicKeyParts};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_the_rsa_crate_signs_with_pkcs1_is_good(
            key in 0..KEYS.len(), message in any::<Vec<u8>>(), change in any::<(prop::sample::Index, u8)>(),
        ) {
            let (private, key) = &KEYS[key];
            for (algorithm, scheme, hash) in [
                (Algorithm::Rs256, Pkcs1v15Sign::new::<Sha256>(), Sha256::digest(&message).to_vec()),
                (Algorithm::Rs384, Pkcs1v15Sign::new::<Sha384>(), Sha384::digest(&message).to_vec()),
                (Algorithm::Rs512, Pkcs1v15Sign::new::<Sha512>(), Sha512::digest(&message).to_vec()),
            ] {
                let mut signature = private.sign(scheme.clone(), &hash).unwrap();
                prop_assert!(key.verify(algorithm, &message, &signature));
                let place = change.0.index(signature.len());
                signature[place] ^= change.1;
                let theirs = private.to_public_key().verify(scheme, &hash, &signature).is_ok();
                prop_assert_eq!(key.verify(algorithm, &message, &signature), theirs);
            }
        }

        #[test]
        fn what_the_rsa_crate_signs_with_pss_is_good_with_salts_as_long_as_the_hash(
            key in 0..KEYS.len(), message in any::<Vec<u8>>(), salt in 0..100_usize, seed: u64,
        ) {
            let (private, key) = &KEYS[key];
            let mut random = Xorshift(seed | 1);
            for (algorithm, length, scheme, hash) in [
                (Algorithm::Ps256, 32, Pss::new_with_salt::<Sha256> as fn(usize) -> Pss, Sha256::digest(&message).to_vec()),
                (Algorithm::Ps384, 48, Pss::new_with_salt::<Sha384>, Sha384::digest(&message).to_vec()),
                (Algorithm::Ps512, 64, Pss::new_with_salt::<Sha512>, Sha512::digest(&message).to_vec()),
            ] {
                let signature = private.sign_with_rng(&mut random, scheme(length), &hash).unwrap();
                prop_assert!(key.verify(algorithm, &message, &signature));
                prop_assert!(!key.verify(algorithm, &[&message[..], b"."].concat(), &signature));
                let other = private.sign_with_rng(&mut random, scheme(salt), &hash).unwrap();
                prop_assert_eq!(key.verify(algorithm, &message, &other), salt == length);
            }
        }

        #[test]
        fn any_number_is_raised_as_the_rsa_crate_raises_it(
            key in 0..KEYS.len(), signature in prop::collection::vec(any::<u8>(), 400), zeros in 0..400_usize,
        ) {
            let (private, key) = &KEYS[key];
            let mut signature = signature;
            signature[..zeros].fill(0);
            signature.truncate(private.size());
            let number = BigUint::from_bytes_be(&signature);
            let expected = (number < *private.n()).then(|| number.modpow(private.e(), private.n()));
            prop_assert_eq!(key.recover(&signature).map(|bytes| BigUint::from_bytes_be(&bytes)), expected);
        }
    }

    #[test]
    fn the_keys_have_the_shapes_that_they_are_here_for() {
        let bits: Vec<_> = KEYS.iter().map(|(_, key)| key.bits).collect();
        assert_eq!(bits, [2048, 2048, 2049, 2057, 3071]);
        assert_eq!(KEYS[1].1.exponent, 4294967291);
        assert!(KEYS.iter().all(|(private, key)| private.n().bits() == key.bits));
    }

    static KEYS: LazyLock<Vec<(RsaPrivateKey, Key)>> = LazyLock::new(|| {
        [
            &include_bytes!("../../tests/vectors/crypto/rsa2048.pk8")[..],
            include_bytes!("../../tests/vectors/crypto/rsa2048e.pk8"),
            include_bytes!("../../tests/vectors/crypto/rsa2049.pk8"),
            include_bytes!("../../tests/vectors/crypto/rsa2057.pk8"),
            include_bytes!("../../tests/vectors/crypto/rsa3071.pk8"),
        ]
        .into_iter()
        .map(|der| {
            let private = RsaPrivateKey::from_pkcs8_der(der).unwrap();
            let key = Key::new(&private.n().to_bytes_be(), &private.e().to_bytes_be());
            (private, key.ok().unwrap())
        })
        .collect()
    });

    /// Salts need no better randomness in a test.
    struct Xorshift(u64);

    impl ::rsa::rand_core::RngCore for Xorshift {
        fn next_u32(&mut self) -> u32 {
            self.next_u64() as u32
        }

        fn next_u64(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }

        fn fill_bytes(&mut self, bytes: &mut [u8]) {
            bytes.fill_with(|| self.next_u64() as u8);
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), ::rsa::rand_core::Error> {
            self.fill_bytes(bytes);
            Ok(())
        }
    }

    impl ::rsa::rand_core::CryptoRng for Xorshift {}
}
