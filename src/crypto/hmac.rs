//! HMAC with SHA-2 (RFC 7518 §3.2).

use ::hmac::{Hmac, Mac, digest::InvalidLength};
use sha2::{Sha256, Sha384, Sha512};

use super::{Algorithm, AlgorithmSet, KeyError};

/// An HMAC secret: of 32 bytes for HS256, 48 for HS384 and 64 for HS512, so that it is no shorter than the hash.
///
/// Kept as what is left of it once the hash has read it, so that no signature costs that again.
pub(super) struct Key {
    hs256: Hmac<Sha256>,
    hs384: Option<Hmac<Sha384>>,
    hs512: Option<Hmac<Sha512>>,
}

impl Key {
    pub(super) fn new(secret: &[u8]) -> Result<Self, KeyError> {
        let too_short = || KeyError::TooShort { bits: secret.len().saturating_mul(8), least: 256 };
        if secret.len() < SHA256_LENGTH {
            return Err(too_short());
        }
        // HMAC takes secrets of any length.
        let no_error = |InvalidLength| too_short();
        let (middle, long) = (secret.len() >= SHA384_LENGTH, secret.len() >= SHA512_LENGTH);
        Ok(Self {
            hs256: Hmac::new_from_slice(secret).map_err(no_error)?,
            hs384: middle.then(|| Hmac::new_from_slice(secret)).transpose().map_err(no_error)?,
            hs512: long.then(|| Hmac::new_from_slice(secret)).transpose().map_err(no_error)?,
        })
    }

    pub(super) fn algorithms(&self) -> AlgorithmSet {
        let mut algorithms = AlgorithmSet::of(&[Algorithm::Hs256]);
        if self.hs384.is_some() {
            algorithms.insert(Algorithm::Hs384);
        }
        if self.hs512.is_some() {
            algorithms.insert(Algorithm::Hs512);
        }
        algorithms
    }

    pub(super) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (algorithm, &self.hs384, &self.hs512) {
            (Algorithm::Hs256, _, _) => is_good(&self.hs256, message, signature),
            (Algorithm::Hs384, Some(key), _) => is_good(key, message, signature),
            (Algorithm::Hs512, _, Some(key)) => is_good(key, message, signature),
            _ => false,
        }
    }
}

/// In constant time; false for a signature of another length.
fn is_good<M: Mac + Clone>(key: &M, message: &[u8], signature: &[u8]) -> bool {
    key.clone().chain_update(message).verify_slice(signature).is_ok()
}

const SHA256_LENGTH: usize = 32;
const SHA384_LENGTH: usize = 48;
const SHA512_LENGTH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn a_secret_serves_the_hashes_that_are_no_longer_than_it() {
        use Algorithm::*;

        for (length, expected) in [
            (32, AlgorithmSet::of(&[Hs256])),
            (47, AlgorithmSet::of(&[Hs256])),
            (48, AlgorithmSet::of(&[Hs256, Hs384])),
            (63, AlgorithmSet::of(&[Hs256, Hs384])),
            (64, AlgorithmSet::of(&[Hs256, Hs384, Hs512])),
            (300, AlgorithmSet::of(&[Hs256, Hs384, Hs512])),
        ] {
            assert_eq!(Key::new(&vec![1; length]).ok().unwrap().algorithms(), expected);
        }
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn a_short_secret_is_refused_and_not_told() {
        for length in [0, 1, 31] {
            let error = Key::new(&vec![b's'; length]).err().unwrap();
            assert_eq!(error, KeyError::TooShort { bits: 8 * length, least: 256 });
        }
        let error = Key::new(b"secret!!").err().unwrap();
        assert_eq!(error.to_string(), "64 bits are too few for an HMAC secret (256)");
        assert!(!format!("{error:?}").contains("secret!!"));
    }
}
