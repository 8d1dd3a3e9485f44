//! Keys that sign gatepost's own tokens: HMAC with SHA-256, ECDSA on P-256 (RFC 7518 §3.4), Ed25519 (RFC 8037 §3.1).
//!
//! No signature needs randomness, which a sandbox may lack: the nonces of ECDSA are deterministic (RFC 6979), those of
//! Ed25519 are by definition.

use core::fmt;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jwt_compact::{
    Algorithm as _, AlgorithmSignature as _,
    alg::{Ed25519, Es256, Hs256, Hs256Key},
};
use rsa::pkcs8::{PrivateKeyInfo, der::Decode as _};
use sha2::{Digest as _, Sha256};

use super::{
    Algorithm,
    pem::{self, PemError},
};
use crate::json::Json;

/// A key that signs by one algorithm.
///
/// Its `Debug` prints the algorithm and nothing else.
pub struct SigningKey(Family);

/// The members of a public key as a JWK (RFC 7518 §6.2, RFC 8037 §2), in the order of their names: all that its thumbprint
/// covers.
pub type PublicMembers = Vec<(&'static str, String)>;

/// Why a key cannot sign. No variant holds a byte of it. `Display` gives a short clause that says what to give instead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SigningKeyError {
    /// The secret is shorter than the hash (RFC 7518 §3.2).
    TooShort {
        /// Its length.
        bytes: usize,
    },
    /// The text is not exactly one PEM block.
    NotPem,
    /// The private key is encrypted.
    Encrypted,
    /// The private key is in the form of SEC 1 or PKCS #1.
    NotPkcs8,
    /// The PEM block is a public key or a certificate.
    Public,
    /// The PEM block is something else.
    OtherPem,
    /// The PEM block's content is no private key (RFC 5958).
    Malformed,
    /// The private key is of another kind than the algorithm needs.
    WrongKind {
        /// The algorithm.
        algorithm: Algorithm,
    },
}

impl SigningKey {
    /// A secret for HS256, of at least 32 bytes.
    pub fn hs256(secret: &[u8]) -> Result<Self, SigningKeyError> {
        if secret.len() < LEAST_SECRET {
            return Err(SigningKeyError::TooShort { bytes: secret.len() });
        }
        Ok(Self(Family::Hs256(Hs256Key::new(secret))))
    }

    /// A PKCS #8 private key on P-256, in PEM.
    pub fn es256(pem: &str) -> Result<Self, SigningKeyError> {
        let key = read(pem, Algorithm::Es256, |info| p256::ecdsa::SigningKey::try_from(info).ok())?;
        Ok(Self(Family::Es256(Box::new(key))))
    }

    /// A PKCS #8 private key for Ed25519, in PEM.
    pub fn ed25519(pem: &str) -> Result<Self, SigningKeyError> {
        let key = read(pem, Algorithm::EdDsa, |info| ed25519_dalek::SigningKey::try_from(info).ok())?;
        Ok(Self(Family::Ed25519(Box::new(key))))
    }

    /// What it signs by.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Family::Hs256(_) => Algorithm::Hs256,
            Family::Es256(_) => Algorithm::Es256,
            Family::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    /// A signature as JWS has it.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.0 {
            Family::Hs256(key) => Hs256.sign(key, message).as_bytes().into_owned(),
            Family::Es256(key) => Es256.sign(key, message).as_bytes().into_owned(),
            Family::Ed25519(key) => Ed25519.sign(key, message).as_bytes().into_owned(),
        }
    }

    /// Its public half; a secret has none.
    #[must_use]
    pub fn public_members(&self) -> Option<PublicMembers> {
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        match &self.0 {
            Family::Hs256(_) => None,
            Family::Es256(key) => {
                let point = key.verifying_key().to_encoded_point(false);
                let (x, y) = (encode(point.x()?), encode(point.y()?));
                Some(vec![("crv", "P-256".to_owned()), ("kty", "EC".to_owned()), ("x", x), ("y", y)])
            }
            Family::Ed25519(key) => {
                let x = encode(key.verifying_key().as_bytes());
                Some(vec![("crv", "Ed25519".to_owned()), ("kty", "OKP".to_owned()), ("x", x)])
            }
        }
    }

    /// The thumbprint of its public half (RFC 7638 §3.1, RFC 8037 §2). A secret has none: a hash of it in every token would
    /// help those who guess (RFC 7638 §7).
    #[must_use]
    pub fn thumbprint(&self) -> Option<String> {
        let members = self.public_members()?;
        let members = members.iter().map(|(name, value)| (*name, value.as_str()));
        Some(BASE64_URL_SAFE_NO_PAD.encode(thumbprint(members)))
    }
}

/// The thumbprint of a key with these members, which are those that make it, in the order of their names (RFC 7638 §3).
pub fn thumbprint<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> [u8; 32] {
    let members = members.map(|(name, value)| format!("\"{name}\":{}", Json::String(value.to_owned())));
    Sha256::digest(format!("{{{}}}", members.collect::<Vec<_>>().join(","))).into()
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.algorithm())
    }
}

impl fmt::Display for SigningKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooShort { bytes } => {
                return write!(f, "{bytes} bytes are too few for a secret of HS256; give {LEAST_SECRET} or more");
            }
            Self::WrongKind { algorithm } => {
                let kind =
                    if *algorithm == Algorithm::Es256 { "EC -pkeyopt ec_paramgen_curve:P-256" } else { "ED25519" };
                return write!(f, "not a key for {algorithm}; openssl genpkey -algorithm {kind} makes one");
            }
            Self::NotPem => "not one PEM block, give -----BEGIN PRIVATE KEY----- and its base64",
            Self::Encrypted => "an encrypted key, give it decrypted (openssl pkcs8 -topk8 -nocrypt -in FILE)",
            Self::NotPkcs8 => "not in PKCS #8, convert it (openssl pkcs8 -topk8 -nocrypt -in FILE)",
            Self::Public => "a public key, which cannot sign: give the private key",
            Self::OtherPem => "a PEM block of another kind, give a PRIVATE KEY instead",
            Self::Malformed => "the PEM block holds no well-formed private key",
        })
    }
}

impl core::error::Error for SigningKeyError {}

/// The closed list of keys.
enum Family {
    Hs256(Hs256Key),
    Es256(Box<p256::ecdsa::SigningKey>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

/// Reads a private key of one kind.
fn read<K>(
    pem: &str,
    algorithm: Algorithm,
    key: impl FnOnce(PrivateKeyInfo<'_>) -> Option<K>,
) -> Result<K, SigningKeyError> {
    let der = pem::content(pem, PRIVATE_KEY).map_err(|error| match error {
        PemError::NotPem => SigningKeyError::NotPem,
        PemError::Label("ENCRYPTED PRIVATE KEY") => SigningKeyError::Encrypted,
        PemError::Label(label) if label.ends_with(PRIVATE_KEY) || label == "EC PARAMETERS" => SigningKeyError::NotPkcs8,
        PemError::Label(label) if label.ends_with("PUBLIC KEY") || label.ends_with("CERTIFICATE") => {
            SigningKeyError::Public
        }
        PemError::Label(_) => SigningKeyError::OtherPem,
    })?;
    let info = PrivateKeyInfo::from_der(&der).map_err(|_| SigningKeyError::Malformed)?;
    let is_right_kind = match algorithm {
        Algorithm::Es256 => info.algorithm.assert_oids(pem::EC, pem::P256).is_ok(),
        _ => info.algorithm.oid == pem::ED25519 && info.algorithm.parameters.is_none(),
    };
    if !is_right_kind {
        return Err(SigningKeyError::WrongKind { algorithm });
    }
    key(info).ok_or(SigningKeyError::Malformed)
}

/// RFC 7518 §3.2: no shorter than the hash.
const LEAST_SECRET: usize = 32;
const PRIVATE_KEY: &str = "PRIVATE KEY";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{crypto::VerificationKey, test::test};

    const P256: &str = include_str!("../../tests/keys/es1.pem");
    const ED25519: &str = include_str!("../../tests/keys/ed1.pem");
    const SECRET: &[u8] = b"an example's secret, 32 bytes up";

    fn keys() -> [SigningKey; 3] {
        [SigningKey::hs256(SECRET).unwrap(), SigningKey::es256(P256).unwrap(), SigningKey::ed25519(ED25519).unwrap()]
    }

    fn decoded(members: &PublicMembers, name: &str) -> Vec<u8> {
        let (_, value) = members.iter().find(|(member, _)| *member == name).unwrap();
        BASE64_URL_SAFE_NO_PAD.decode(value).unwrap()
    }

    test!(what_it_signs_its_public_half_verifies, {
        for key in keys() {
            let algorithm = key.algorithm();
            let public = match (algorithm, key.public_members()) {
                (Algorithm::Hs256, None) => VerificationKey::hmac(SECRET),
                (Algorithm::Es256, Some(members)) => {
                    VerificationKey::ec(crate::crypto::Curve::P256, &decoded(&members, "x"), &decoded(&members, "y"))
                }
                (_, Some(members)) => VerificationKey::ed25519(&decoded(&members, "x")),
                (_, None) => panic!("no public half"),
            };
            let public = public.unwrap();
            let signature = key.sign(b"header.payload");
            assert_eq!(signature, key.sign(b"header.payload"), "{algorithm}: the same twice");
            assert!(public.verify(algorithm, b"header.payload", &signature), "{algorithm}");
            assert!(!public.verify(algorithm, b"header.Payload", &signature), "{algorithm}");
        }
    });

    test!(ecdsa_nonces_are_those_of_rfc_6979, {
        // RFC 6979 appendix A.2.5: P-256, SHA-256, "sample".
        let scalar = b"\xc9\xaf\xa9\xd8\x45\xba\x75\x16\x6b\x5c\x21\x57\x67\xb1\xd6\x93\x4e\x50\xc3\xdb\x36\xe8\x9b\x12\x7b\x8a\x62\x2b\x12\x0f\x67\x21";
        let key = p256::ecdsa::SigningKey::from_slice(scalar).unwrap();
        let signature = SigningKey(Family::Es256(Box::new(key))).sign(b"sample");
        let expected = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
                        f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
        let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    });

    test!(ed25519_signs_as_rfc_8037_shows, {
        // RFC 8037 appendix A.1 to A.4.
        let seed = BASE64_URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let key = ed25519_dalek::SigningKey::from_bytes(&seed.try_into().unwrap());
        let key = SigningKey(Family::Ed25519(Box::new(key)));
        let signature = key.sign(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc");
        let expected = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        assert_eq!(BASE64_URL_SAFE_NO_PAD.encode(signature), expected);
        // Appendix A.3.
        assert_eq!(key.thumbprint().as_deref(), Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
    });

    test!(keys_that_cannot_sign_are_refused_with_what_to_give_instead, {
        use SigningKeyError::*;

        let of_es256 = |pem: &str| SigningKey::es256(pem).err();
        let label = |label: &str| P256.replace("PRIVATE KEY", label);
        assert_eq!(of_es256(ED25519), Some(WrongKind { algorithm: Algorithm::Es256 }));
        assert_eq!(SigningKey::ed25519(P256).err(), Some(WrongKind { algorithm: Algorithm::EdDsa }));
        for other in [include_str!("../../tests/keys/es384.pem"), include_str!("../../tests/keys/rs1.pem")] {
            assert_eq!(of_es256(other), Some(WrongKind { algorithm: Algorithm::Es256 }));
        }
        for (label, expected) in [
            (label("ENCRYPTED PRIVATE KEY"), Encrypted),
            (label("EC PRIVATE KEY"), NotPkcs8),
            (label("RSA PRIVATE KEY"), NotPkcs8),
            (label("PUBLIC KEY"), Public),
            (label("CERTIFICATE"), Public),
            (label("EC PARAMETERS"), NotPkcs8),
            (label("PKCS7"), OtherPem),
            (format!("{P256}{P256}"), NotPem),
            ("no key".to_owned(), NotPem),
            ("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----".to_owned(), Malformed),
        ] {
            assert_eq!(of_es256(&label), Some(expected));
        }
        // One line, as an environment's variable would have it.
        assert!(SigningKey::es256(&P256.replace('\n', "")).is_ok());
        assert_eq!(SigningKey::hs256(&[b's'; 31]).err(), Some(TooShort { bytes: 31 }));
        assert_eq!(TooShort { bytes: 31 }.to_string(), "31 bytes are too few for a secret of HS256; give 32 or more");
    });

    test!(debug_prints_the_algorithm_and_nothing_else, {
        let shown = keys().map(|key| format!("{key:?}"));
        assert_eq!(shown, ["SigningKey(HS256)", "SigningKey(ES256)", "SigningKey(EdDSA)"]);
    });
}
