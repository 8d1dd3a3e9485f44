//! Why a key was refused.

use core::fmt;

use super::Curve;

/// Why a key was refused. No variant holds a byte of a key: secrets must not reach a log.
///
/// `Display` gives one short clause, to stand behind the place of the key in a configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum KeyError {
    /// The HMAC secret is shorter than the shortest hash (RFC 7518 §3.2).
    TooShort {
        /// Length of the secret.
        bits: usize,
        /// The least that is accepted.
        least: usize,
    },
    /// The RSA modulus is too short to be safe (RFC 7518 §3.3).
    ModulusTooShort {
        /// Length of the modulus, without leading zeros.
        bits: usize,
        /// The least that is accepted.
        least: usize,
    },
    /// The RSA modulus is so long that verifying would be a burden on the gateway.
    ModulusTooLong {
        /// Length of the modulus, without leading zeros.
        bits: usize,
        /// The most that is accepted.
        most: usize,
    },
    /// The RSA modulus is even, so it is no product of two large primes.
    EvenModulus,
    /// The RSA exponent is below the least that is accepted.
    ExponentTooSmall {
        /// The exponent.
        exponent: u32,
        /// The least that is accepted.
        least: u32,
    },
    /// The RSA exponent is so long that verifying would be a burden on the gateway.
    ExponentTooLarge {
        /// Length of the exponent, without leading zeros.
        bits: usize,
        /// The most that is accepted.
        most: usize,
    },
    /// The RSA exponent is even, so it has no inverse.
    EvenExponent {
        /// The exponent.
        exponent: u32,
    },
    /// A coordinate has not the length that its curve asks for (RFC 7518 §6.2.1.2).
    CoordinateLength {
        /// The curve.
        curve: Curve,
        /// Bytes of the coordinate.
        bytes: usize,
        /// Bytes that the curve asks for.
        expected: usize,
    },
    /// The coordinates are no point on the curve.
    NotOnCurve {
        /// The curve.
        curve: Curve,
    },
    /// An Ed25519 public key does not have 32 bytes (RFC 8032 §5.1.5).
    Ed25519Length {
        /// Bytes of the key.
        bytes: usize,
    },
    /// The bytes do not encode a point on edwards25519 (RFC 8032 §5.1.3).
    NotOnEdwards25519,
    /// The point has small order: some signatures would then be good for many messages.
    SmallOrder,
    /// The text holds not exactly one PEM block whose content is base64 (RFC 7468).
    NotPem,
    /// The PEM block is something other than a public key.
    WrongPem {
        /// What it is.
        found: PemKind,
    },
    /// The PEM block's content is no SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    MalformedPublicKey,
    /// The public key is of a kind that is not RSA, EC or Ed25519.
    UnsupportedKeyType,
    /// The public key is on a curve other than P-256, P-384 and P-521.
    UnsupportedCurve,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooShort { bits, least } => {
                write!(f, "{bits} bits are too few for an HMAC secret ({least})")
            }
            Self::ModulusTooShort { bits, least } => {
                write!(f, "{bits} bits are too few for RSA ({least})")
            }
            Self::ModulusTooLong { bits, most } => {
                write!(f, "{bits} bits are too many for RSA ({most})")
            }
            Self::EvenModulus => f.write_str("the RSA modulus is even"),
            Self::ExponentTooSmall { exponent, least } => {
                write!(f, "the RSA exponent {exponent} is too small ({least})")
            }
            Self::ExponentTooLarge { bits, most } => {
                write!(f, "{bits} bits are too many for an RSA exponent ({most})")
            }
            Self::EvenExponent { exponent } => write!(f, "the RSA exponent {exponent} is even"),
            Self::CoordinateLength { curve, bytes, expected } => {
                write!(f, "a coordinate has {bytes} bytes, {} asks for {expected}", curve.name())
            }
            Self::NotOnCurve { curve } => write!(f, "not a point on {}", curve.name()),
            Self::Ed25519Length { bytes } => {
                write!(f, "an Ed25519 public key has 32 bytes, not {bytes}")
            }
            Self::NotOnEdwards25519 => f.write_str("not a point on edwards25519"),
            Self::SmallOrder => f.write_str("an Ed25519 point of small order"),
            Self::NotPem => f.write_str("not one PEM block, give -----BEGIN PUBLIC KEY----- and its base64"),
            Self::WrongPem { found } => found.fmt(f),
            Self::MalformedPublicKey => f.write_str("the PEM block holds no well-formed public key"),
            Self::UnsupportedKeyType => f.write_str("neither an RSA, an EC nor an Ed25519 public key"),
            Self::UnsupportedCurve => f.write_str("on none of the curves P-256, P-384, P-521"),
        }
    }
}

impl core::error::Error for KeyError {}

/// What a PEM block is that should have been a public key. `Display` says what to give instead.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PemKind {
    /// `CERTIFICATE`.
    Certificate,
    /// Any kind of private key.
    PrivateKey,
    /// `RSA PUBLIC KEY` (PKCS #1).
    Pkcs1PublicKey,
    /// Anything else.
    Other,
}

impl fmt::Display for PemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "a certificate, give its public key instead (openssl x509 -in FILE -noout -pubkey)",
            Self::PrivateKey => {
                "a private key, which does not belong here: give its public key instead (openssl pkey -in FILE -pubout)"
            }
            Self::Pkcs1PublicKey => {
                "a PKCS #1 key, give it as PUBLIC KEY instead (openssl rsa -RSAPublicKey_in -in FILE -pubout)"
            }
            Self::Other => "a PEM block of another kind, give a PUBLIC KEY instead",
        })
    }
}
