//! Signature verification for JWS (RFC 7515): keys, algorithms, and which key may verify what.
//!
//! One file per family. Everything here is a pure function of bytes: no JSON, no clock, no HTTP. Only verification
//! is here, so that nothing but an HMAC secret is secret, and nothing but the comparison of HMACs takes care of time.
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

use jwt_compact::AlgorithmSignature;

mod ecdsa;
mod eddsa;
mod error;
mod hmac;
mod pem;
mod rsa;

pub use error::{KeyError, PemKind};

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
}

impl VerificationKey {
    /// An HMAC secret, of at least 32 bytes (RFC 7518 §3.2: no shorter than the hash).
    pub fn hmac(secret: &[u8]) -> Result<Self, KeyError> {
        hmac::Key::new(secret).map(Family::Hmac).map(Self::of)
    }

    /// An RSA public key (RFC 7518 §6.3.1): both numbers big-endian, leading zero bytes tolerated.
    ///
    /// The modulus has 2048 to 8192 bits and is odd; the exponent is odd, at least 65537 and below 2^32.
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        rsa::Key::new(modulus, exponent).map(Family::Rsa).map(Self::of)
    }

    /// A point on an elliptic curve (RFC 7518 §6.2.1): coordinates big-endian, of exactly the curve's length.
    pub fn ec(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        ecdsa::Key::from_coordinates(curve, x, y).map(Family::Ec).map(Self::of)
    }

    /// An Ed25519 public key (RFC 8037 §2): 32 bytes that encode a point which is not of small order.
    pub fn ed25519(x: &[u8]) -> Result<Self, KeyError> {
        eddsa::Key::new(x).map(Family::Ed25519).map(Self::of)
    }

    /// A PEM-encoded SubjectPublicKeyInfo (RFC 7468 §13): RSA, P-256, P-384, P-521 or Ed25519.
    pub fn from_public_key_pem(pem: &str) -> Result<Self, KeyError> {
        pem::read(pem).map(Self::of)
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
        Self { family }
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
    Hmac(hmac::Key),
    Rsa(rsa::Key),
    Ec(ecdsa::Key),
    Ed25519(eddsa::Key),
}

/// Verifies with one of jwt-compact's algorithms, behind the check of the signature's length that
/// [`AlgorithmSignature::try_from_slice`] leaves to its caller: the HMAC types panic on another length.
fn verify_fixed_length<A: jwt_compact::Algorithm>(
    algorithm: &A,
    key: &A::VerifyingKey,
    message: &[u8],
    signature: &[u8],
) -> bool {
    if A::Signature::LENGTH.is_none_or(|length| length.get() != signature.len()) {
        return false;
    }
    A::Signature::try_from_slice(signature).is_ok_and(|signature| algorithm.verify_signature(&signature, key, message))
}
