//! Times signature verifications inside a proxy: gatepost's, and those of the crates that it could have used.
//!
//! `GET /RS256/gatepost/100` is answered with the nanoseconds that 100 verifications of one signature with one key took.

#![deny(unsafe_code)]

mod plain;
#[cfg(target_os = "wasi")]
mod plugin;
mod vectors;

pub use vectors::Verifications;

/// Whose code verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// gatepost's.
    Gatepost,
    /// That of `rsa`, `p256`, `p384`, `p521`, `ed25519-dalek`, or `hmac` and `sha2`.
    Plain,
}

impl Library {
    /// By its name in a path.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "gatepost" => Some(Self::Gatepost),
            "plain" => Some(Self::Plain),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use gatepost::crypto::Algorithm;

    use super::*;

    #[test]
    fn every_signature_is_good_for_both() {
        let verifications = Verifications::new().unwrap();
        for algorithm in Algorithm::ALL {
            for library in [Library::Gatepost, Library::Plain] {
                assert!(verifications.verify(algorithm, library), "{algorithm} {library:?}");
            }
        }
    }
}
