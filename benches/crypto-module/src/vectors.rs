//! One key and one signature for each algorithm, made by OpenSSL (`tests/vectors/crypto`).

use gatepost::crypto::{Algorithm, VerificationKey};

use crate::{Library, plain};

/// The keys of all algorithms, each made once: a key may do better once it was used.
pub struct Verifications(Vec<Verification>);

struct Verification {
    algorithm: Algorithm,
    signature: &'static [u8],
    gatepost: VerificationKey,
    plain: plain::Key,
}

impl Verifications {
    /// Reads all keys. Nothing where one is not read.
    pub fn new() -> Option<Self> {
        SIGNATURES
            .into_iter()
            .map(|(algorithm, key, signature)| {
                let (gatepost, plain) = match key {
                    None => (VerificationKey::hmac(&SECRET).ok()?, plain::Key::Secret(&SECRET)),
                    Some(pem) => (VerificationKey::from_public_key_pem(pem).ok()?, plain::Key::read(algorithm, pem)?),
                };
                Some(Verification { algorithm, signature, gatepost, plain })
            })
            .collect::<Option<_>>()
            .map(Self)
    }

    /// Whether the signature of an algorithm is good: it is.
    pub fn verify(&self, algorithm: Algorithm, library: Library) -> bool {
        let Some(found) = self.0.iter().find(|verification| verification.algorithm == algorithm) else { return false };
        match library {
            Library::Gatepost => found.gatepost.verify(algorithm, MESSAGE, found.signature),
            Library::Plain => found.plain.verify(algorithm, MESSAGE, found.signature),
        }
    }
}

const MESSAGE: &[u8] = b"header.payload";
const SECRET: [u8; 64] = [b'k'; 64];

const RSA: Option<&str> = Some(include_str!("../../../tests/vectors/crypto/rsa2048.pem"));
const P256: Option<&str> = Some(include_str!("../../../tests/vectors/crypto/p256.pem"));
const P384: Option<&str> = Some(include_str!("../../../tests/vectors/crypto/p384.pem"));
const P521: Option<&str> = Some(include_str!("../../../tests/vectors/crypto/p521.pem"));
const ED25519: Option<&str> = Some(include_str!("../../../tests/vectors/crypto/ed25519.pem"));

const SIGNATURES: [(Algorithm, Option<&str>, &[u8]); 13] = [
    (Algorithm::Hs256, None, include_bytes!("../../../tests/vectors/crypto/hs256.sig")),
    (Algorithm::Hs384, None, include_bytes!("../../../tests/vectors/crypto/hs384.sig")),
    (Algorithm::Hs512, None, include_bytes!("../../../tests/vectors/crypto/hs512.sig")),
    (Algorithm::Rs256, RSA, include_bytes!("../../../tests/vectors/crypto/rs256.sig")),
    (Algorithm::Rs384, RSA, include_bytes!("../../../tests/vectors/crypto/rs384.sig")),
    (Algorithm::Rs512, RSA, include_bytes!("../../../tests/vectors/crypto/rs512.sig")),
    (Algorithm::Ps256, RSA, include_bytes!("../../../tests/vectors/crypto/ps256.sig")),
    (Algorithm::Ps384, RSA, include_bytes!("../../../tests/vectors/crypto/ps384.sig")),
    (Algorithm::Ps512, RSA, include_bytes!("../../../tests/vectors/crypto/ps512.sig")),
    (Algorithm::Es256, P256, include_bytes!("../../../tests/vectors/crypto/es256.sig")),
    (Algorithm::Es384, P384, include_bytes!("../../../tests/vectors/crypto/es384.sig")),
    (Algorithm::Es512, P521, include_bytes!("../../../tests/vectors/crypto/es512.sig")),
    (Algorithm::EdDsa, ED25519, include_bytes!("../../../tests/vectors/crypto/eddsa.sig")),
];
