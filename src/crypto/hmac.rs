//! HMAC with SHA-2 (RFC 7518 §3.2).

use jwt_compact::alg::{Hs256, Hs256Key, Hs384, Hs384Key, Hs512, Hs512Key};

use super::{Algorithm, AlgorithmSet, KeyError, verify_fixed_length};

/// An HMAC secret: of 32 bytes for HS256, 48 for HS384 and 64 for HS512, so that it is no shorter than the hash.
///
/// jwt-compact's keys are wiped when dropped and compare in constant time.
pub(super) struct Key {
    hs256: Hs256Key,
    hs384: Option<Hs384Key>,
    hs512: Option<Hs512Key>,
}

impl Key {
    pub(super) fn new(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < SHA256_LENGTH {
            return Err(KeyError::TooShort { bits: secret.len().saturating_mul(8), least: 256 });
        }
        Ok(Self {
            hs256: Hs256Key::new(secret),
            hs384: (secret.len() >= SHA384_LENGTH).then(|| Hs384Key::new(secret)),
            hs512: (secret.len() >= SHA512_LENGTH).then(|| Hs512Key::new(secret)),
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
            (Algorithm::Hs256, _, _) => verify_fixed_length(&Hs256, &self.hs256, message, signature),
            (Algorithm::Hs384, Some(key), _) => verify_fixed_length(&Hs384, key, message, signature),
            (Algorithm::Hs512, _, Some(key)) => verify_fixed_length(&Hs512, key, message, signature),
            _ => false,
        }
    }
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
