//! RSASSA-PKCS1-v1_5 and RSASSA-PSS (RFC 8017 §8), verification alone.
//!
//! All numbers here are public, so that the time it takes may depend on them.

use sha2::{Digest, Sha256, Sha384, Sha512, digest::Output};

use super::{Algorithm, AlgorithmSet, KeyError};

mod montgomery;

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
