//! Signature verification for JWS (RFC 7515): keys, algorithms, and which key may verify what.
//!
//! One file per family. Everything here is a pure function of bytes: no JSON, no clock, no HTTP. What is secret is an HMAC
//! secret, whose comparison takes care of time, and the key of gatepost's own tokens, which [`SigningKey`] keeps.
//!
//! ```
//! use gatepost::crypto::{Algorithm, VerificationKey};
//!
//! let key = VerificationKey::hmac(b"an example's secret, 32 bytes up").unwrap();
//! let tag = [
//!     0xd0, 0x2b, 0x15, 0xfb, 0x5b, 0x8a, 0x19, 0x53, 0x72, 0xd4, 0x62, 0x1a, 0x8d, 0xd6, 0x38, 0x5d,
//!     0x4e, 0xc6, 0xb0, 0xa2, 0x33, 0x88, 0xb1, 0x07, 0x4d, 0x9c, 0x55, 0xe6, 0xbd, 0x6f, 0x9f, 0x9c,
//! ];
//! assert!(key.verify(Algorithm::Hs256, b"header.payload", &tag));
//! // Another message, a cut signature, another algorithm: never true, never a panic.
//! assert!(!key.verify(Algorithm::Hs256, b"header.forged", &tag));
//! assert!(!key.verify(Algorithm::Hs256, b"header.payload", &tag[..16]));
//! assert!(!key.verify(Algorithm::Rs256, b"header.payload", &tag));
//! ```

use core::fmt;

pub mod certificate;
mod curve;
mod ecdsa;
mod eddsa;
mod error;
mod hmac;
pub mod host;
mod pem;
mod rsa;
mod signing;

pub use error::{KeyError, PemKind};
pub use signing::{PublicMembers, SigningKey, SigningKeyError, thumbprint};

/// A JWS algorithm (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864). `none` does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256 and MGF1 with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384 and MGF1 with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512 and MGF1 with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// EdDSA on Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The algorithm of an `alg` member, whose case counts (RFC 7515 §4.1.1).
    ///
    /// `EdDSA` and `Ed25519` (RFC 9864 §2.2) are one algorithm here, as Ed448 is not supported.
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::EdDsa);
        }
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Whether who verifies can sign as well.
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Every algorithm.
    pub const ALL: [Self; 13] = [
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
    ];
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of algorithms.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct AlgorithmSet(u16);

impl AlgorithmSet {
    /// The set without members.
    pub const EMPTY: Self = Self(0);

    /// The set of every algorithm.
    pub const ALL: Self = Self::of(&Algorithm::ALL);

    /// The set of these algorithms.
    pub const fn of(mut algorithms: &[Algorithm]) -> Self {
        let mut set = Self::EMPTY;
        while let [first, rest @ ..] = algorithms {
            set = Self(set.0 | Self::bit(*first));
            algorithms = rest;
        }
        set
    }

    /// Whether `algorithm` is a member.
    pub const fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & Self::bit(algorithm) != 0
    }

    /// Adds `algorithm`.
    pub const fn insert(&mut self, algorithm: Algorithm) {
        self.0 |= Self::bit(algorithm);
    }

    /// What both sets have.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether it has no members.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, in the order of [`Algorithm::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.into_iter().filter(move |algorithm| self.contains(*algorithm))
    }

    const fn bit(algorithm: Algorithm) -> u16 {
        1_u16.wrapping_shl(algorithm as u32)
    }
}

impl FromIterator<Algorithm> for AlgorithmSet {
    fn from_iter<I: IntoIterator<Item = Algorithm>>(algorithms: I) -> Self {
        let mut set = Self::EMPTY;
        algorithms.into_iter().for_each(|algorithm| set.insert(algorithm));
        set
    }
}

impl fmt::Debug for AlgorithmSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// A curve for ECDSA (RFC 7518 §6.2.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Curve {
    /// secp256r1.
    P256,
    /// secp384r1.
    P384,
    /// secp521r1.
    P521,
}

impl Curve {
    /// The curve of a JWK's `crv` member, whose case counts.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::P256, Self::P384, Self::P521].into_iter().find(|curve| curve.name() == name)
    }

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// Bytes of one coordinate (RFC 7518 §6.2.1.2).
    pub const fn coordinate_length(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

/// A verification key of one family, checked when it was made.
///
/// Its `Debug` prints the family and nothing else.
pub struct VerificationKey {
    family: Family,
    /// Its SubjectPublicKeyInfo in DER, where a host may take it.
    spki: Option<Box<[u8]>>,
}

impl VerificationKey {
    /// An HMAC secret, of at least 32 bytes (RFC 7518 §3.2: no shorter than the hash).
    pub fn hmac(secret: &[u8]) -> Result<Self, KeyError> {
        hmac::Key::new(secret).map(|key| Self::of(Family::Hmac(Box::new(key))))
    }

    /// An RSA public key (RFC 7518 §6.3.1): both numbers big-endian, leading zero bytes tolerated.
    ///
    /// The modulus has 2048 to 8192 bits and is odd; the exponent is odd, at least 65537 and below 2^32.
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let key = rsa::Key::new(modulus, exponent).map(Family::Rsa).map(Self::of)?;
        Ok(Self { spki: Some(host::rsa_spki(modulus, exponent)), ..key })
    }

    /// A point on an elliptic curve (RFC 7518 §6.2.1): coordinates big-endian, of exactly the curve's length.
    pub fn ec(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        let key = ecdsa::Key::from_coordinates(curve, x, y).map(Family::Ec).map(Self::of)?;
        Ok(Self { spki: host::ec_spki(curve, &[&[4], x, y].concat()), ..key })
    }

    /// An Ed25519 public key (RFC 8037 §2): 32 bytes that encode a point which is not of small order.
    pub fn ed25519(x: &[u8]) -> Result<Self, KeyError> {
        eddsa::Key::new(x).map(Family::Ed25519).map(Self::of)
    }

    /// A PEM-encoded SubjectPublicKeyInfo (RFC 7468 §13): RSA, P-256, P-384, P-521 or Ed25519.
    pub fn from_public_key_pem(pem: &str) -> Result<Self, KeyError> {
        pem::read(pem)
    }

    /// What this key can verify.
    ///
    /// RSA keys verify RS* and PS*, an EC key the one algorithm of its curve, an Ed25519 key EdDSA, and an HMAC secret
    /// those algorithms whose hash is no longer than it.
    pub fn algorithms(&self) -> AlgorithmSet {
        match &self.family {
            Family::Hmac(key) => key.algorithms(),
            Family::Rsa(_) => rsa::ALGORITHMS,
            Family::Ec(key) => key.algorithms(),
            Family::Ed25519(_) => eddsa::ALGORITHMS,
        }
    }

    /// Whether `signature` over `message` is good.
    ///
    /// False for every malformed signature, and for an algorithm outside [`Self::algorithms`]. Never panics.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match &self.family {
            Family::Hmac(key) => key.verify(algorithm, message, signature),
            Family::Rsa(key) => key.verify(algorithm, message, signature),
            Family::Ec(key) => key.verify(algorithm, message, signature),
            Family::Ed25519(key) => key.verify(algorithm, message, signature),
        }
    }

    fn of(family: Family) -> Self {
        Self { family, spki: None }
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.family {
            Family::Hmac(_) => "VerificationKey(HMAC)",
            Family::Rsa(_) => "VerificationKey(RSA)",
            Family::Ec(key) => match key.curve() {
                Curve::P256 => "VerificationKey(P-256)",
                Curve::P384 => "VerificationKey(P-384)",
                Curve::P521 => "VerificationKey(P-521)",
            },
            Family::Ed25519(_) => "VerificationKey(Ed25519)",
        })
    }
}

/// The closed list of key types, so that a key can only ever meet its own family's algorithms.
enum Family {
    Hmac(Box<hmac::Key>),
    Rsa(rsa::Key),
    Ec(ecdsa::Key),
    Ed25519(eddsa::Key),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn every_algorithm_agrees_with_openssl_and_with_no_other_algorithm() {
        for (algorithm, signature) in SIGNATURES {
            let key = key_of(algorithm);
            assert!(key.verify(algorithm, MESSAGE, signature), "{algorithm}");
            assert!(!key.verify(algorithm, b"header.Payload", signature), "{algorithm}");
            assert!(!key.verify(algorithm, b"", signature), "{algorithm}");
            for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
                assert!(!key.verify(other, MESSAGE, signature), "{algorithm} as {other}");
            }
        }
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn a_signature_of_any_other_length_is_refused() {
        for (algorithm, signature) in SIGNATURES {
            let key = key_of(algorithm);
            for length in (0..signature.len()).step_by(7).chain([1, signature.len() - 1]) {
                assert!(!key.verify(algorithm, MESSAGE, &signature[..length]), "{algorithm}: {length}");
                assert!(!key.verify(algorithm, MESSAGE, &signature[signature.len() - length..]));
            }
            for extra in [1, 2, signature.len()] {
                let zeros = vec![0; extra];
                assert!(!key.verify(algorithm, MESSAGE, &[signature, &zeros].concat()), "{algorithm}");
                assert!(!key.verify(algorithm, MESSAGE, &[&zeros, signature].concat()), "{algorithm}");
            }
        }
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn a_signature_with_one_bit_changed_is_refused() {
        for (algorithm, signature) in SIGNATURES {
            let key = key_of(algorithm);
            for place in (0..signature.len()).step_by(13).chain([signature.len() - 1]) {
                let mut changed = signature.to_vec();
                changed[place] ^= 1 << (place % 8);
                assert!(!key.verify(algorithm, MESSAGE, &changed), "{algorithm}: {place}");
            }
        }
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn uniform_signatures_of_every_length_are_refused_by_every_key_under_every_algorithm() {
        for (own, _) in SIGNATURES {
            let key = key_of(own);
            for byte in [0x00, 0x01, 0xff] {
                for length in [0, 1, 32, 48, 64, 65, 96, 131, 132, 133, 255, 256, 257, 512] {
                    for algorithm in Algorithm::ALL {
                        assert!(!key.verify(algorithm, MESSAGE, &vec![byte; length]));
                    }
                }
            }
        }
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn a_key_says_what_it_can_verify() {
        use Algorithm::*;

        let of = |algorithm| key_of(algorithm).algorithms();
        assert_eq!(of(Rs256), AlgorithmSet::of(&[Rs256, Rs384, Rs512, Ps256, Ps384, Ps512]));
        assert_eq!(of(Es256), AlgorithmSet::of(&[Es256]));
        assert_eq!(of(Es384), AlgorithmSet::of(&[Es384]));
        assert_eq!(of(Es512), AlgorithmSet::of(&[Es512]));
        assert_eq!(of(EdDsa), AlgorithmSet::of(&[EdDsa]));
        assert_eq!(of(Hs256), AlgorithmSet::of(&[Hs256, Hs384, Hs512]));
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn names_are_exact_and_none_does_not_exist() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
            assert_eq!(Algorithm::from_name(&algorithm.name().to_lowercase()), None);
        }
        assert_eq!(Algorithm::from_name("Ed25519"), Some(Algorithm::EdDsa));
        for name in ["", "none", "None", "NONE", "HS1", "RS1", "ES256K", "Ed448", "RSA1_5", "HS256 "] {
            assert_eq!(Algorithm::from_name(name), None, "{name}");
        }
        assert_eq!(Curve::from_name("P-384"), Some(Curve::P384));
        assert_eq!(Curve::from_name("p-384"), None);
        assert_eq!(Curve::from_name("secp256k1"), None);
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn sets_hold_what_was_put_in() {
        assert!(AlgorithmSet::EMPTY.is_empty());
        assert_eq!(AlgorithmSet::ALL.iter().collect::<Vec<_>>(), Algorithm::ALL);
        let mut set = AlgorithmSet::of(&[Algorithm::EdDsa]);
        set.insert(Algorithm::Hs256);
        assert!(set.contains(Algorithm::Hs256) && set.contains(Algorithm::EdDsa));
        assert!(!set.contains(Algorithm::Rs256));
        assert_eq!(set.iter().collect::<AlgorithmSet>(), set);
        let other = AlgorithmSet::of(&[Algorithm::Rs256, Algorithm::EdDsa]);
        assert_eq!(set.intersection(other), AlgorithmSet::of(&[Algorithm::EdDsa]));
        assert_eq!(format!("{set:?}"), "{Hs256, EdDsa}");
    }

    #[cfg_attr(not(target_arch = "wasm32"), test)]
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    fn debug_prints_the_family_and_nothing_else() {
        for (algorithm, family) in [
            (Algorithm::Hs256, "HMAC"),
            (Algorithm::Rs256, "RSA"),
            (Algorithm::Es256, "P-256"),
            (Algorithm::Es384, "P-384"),
            (Algorithm::Es512, "P-521"),
            (Algorithm::EdDsa, "Ed25519"),
        ] {
            assert_eq!(format!("{:#?}", key_of(algorithm)), format!("VerificationKey({family})"));
        }
    }

    fn key_of(algorithm: Algorithm) -> VerificationKey {
        let pem = match algorithm {
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
                return VerificationKey::hmac(&[b'k'; 64]).unwrap();
            }
            Algorithm::Es256 => include_str!("../tests/vectors/crypto/p256.pem"),
            Algorithm::Es384 => include_str!("../tests/vectors/crypto/p384.pem"),
            Algorithm::Es512 => include_str!("../tests/vectors/crypto/p521.pem"),
            Algorithm::EdDsa => include_str!("../tests/vectors/crypto/ed25519.pem"),
            _ => include_str!("../tests/vectors/crypto/rsa2048.pem"),
        };
        VerificationKey::from_public_key_pem(pem).unwrap()
    }

    const MESSAGE: &[u8] = b"header.payload";

    const SIGNATURES: [(Algorithm, &[u8]); 13] = [
        (Algorithm::Hs256, include_bytes!("../tests/vectors/crypto/hs256.sig")),
        (Algorithm::Hs384, include_bytes!("../tests/vectors/crypto/hs384.sig")),
        (Algorithm::Hs512, include_bytes!("../tests/vectors/crypto/hs512.sig")),
        (Algorithm::Rs256, include_bytes!("../tests/vectors/crypto/rs256.sig")),
        (Algorithm::Rs384, include_bytes!("../tests/vectors/crypto/rs384.sig")),
        (Algorithm::Rs512, include_bytes!("../tests/vectors/crypto/rs512.sig")),
        (Algorithm::Ps256, include_bytes!("../tests/vectors/crypto/ps256.sig")),
        (Algorithm::Ps384, include_bytes!("../tests/vectors/crypto/ps384.sig")),
        (Algorithm::Ps512, include_bytes!("../tests/vectors/crypto/ps512.sig")),
        (Algorithm::Es256, include_bytes!("../tests/vectors/crypto/es256.sig")),
        (Algorithm::Es384, include_bytes!("../tests/vectors/crypto/es384.sig")),
        (Algorithm::Es512, include_bytes!("../tests/vectors/crypto/es512.sig")),
        (Algorithm::EdDsa, include_bytes!("../tests/vectors/crypto/eddsa.sig")),
    ];
}
