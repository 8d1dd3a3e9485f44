//! The keys of `tests/keys`, and keys read or made by `gatepost token`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use p256::ecdsa::signature::Verifier as _;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use rsa::rand_core::{OsRng, RngCore as _};
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{MintError, SignatureAlgorithm};

/// A key that signs. `Debug` is left out: it would print the key.
pub enum PrivateKey {
    /// RSA, of any size.
    Rsa(Box<rsa::RsaPrivateKey>),
    /// NIST P-256.
    P256(p256::SecretKey),
    /// NIST P-384.
    P384(p384::SecretKey),
    /// NIST P-521.
    P521(p521::SecretKey),
    /// Ed25519 (RFC 8032).
    Ed25519(Box<ed25519_dalek::SigningKey>),
    /// A shared secret, for HMAC.
    Secret(Vec<u8>),
}

impl PrivateKey {
    /// The key of that name in `tests/keys`.
    ///
    /// # Errors
    ///
    /// [`MintError::UnknownKey`].
    pub fn named(name: &str) -> Result<Self, MintError> {
        let text = FIXTURE_NAMES
            .iter()
            .position(|known| *known == name)
            .and_then(|index| FIXTURES.get(index))
            .ok_or_else(|| MintError::UnknownKey { name: name.to_owned() })?;
        if text.starts_with("-----BEGIN ") { Self::from_pem(text) } else { Ok(Self::Secret(text.as_bytes().to_vec())) }
    }

    /// A PKCS#8 private key (`BEGIN PRIVATE KEY`).
    ///
    /// # Errors
    ///
    /// [`MintError::UnreadableKey`], whatever is wrong: details of a private key are nobody's business.
    pub fn from_pem(pem: &str) -> Result<Self, MintError> {
        if let Ok(key) = rsa::RsaPrivateKey::from_pkcs8_pem(pem) {
            return Ok(Self::Rsa(Box::new(key)));
        }
        if let Ok(key) = p256::SecretKey::from_pkcs8_pem(pem) {
            return Ok(Self::P256(key));
        }
        if let Ok(key) = p384::SecretKey::from_pkcs8_pem(pem) {
            return Ok(Self::P384(key));
        }
        if let Ok(key) = p521::SecretKey::from_pkcs8_pem(pem) {
            return Ok(Self::P521(key));
        }
        if let Ok(key) = ed25519_dalek::SigningKey::from_pkcs8_pem(pem) {
            return Ok(Self::Ed25519(Box::new(key)));
        }
        Err(MintError::UnreadableKey)
    }

    /// A new key for `algorithm`: RSA has 2048 bits, a secret 64 printable bytes.
    ///
    /// # Errors
    ///
    /// [`MintError::Refused`] where the primitive fails.
    pub fn generate(algorithm: SignatureAlgorithm) -> Result<Self, MintError> {
        use SignatureAlgorithm as A;
        Ok(match algorithm {
            A::Rs256 | A::Rs384 | A::Rs512 | A::Ps256 | A::Ps384 | A::Ps512 => {
                let key = rsa::RsaPrivateKey::new(&mut OsRng, 2048)
                    .map_err(|_| MintError::Refused { kind: "RSA", algorithm })?;
                Self::Rsa(Box::new(key))
            }
            A::Es256 => Self::P256(p256::SecretKey::random(&mut OsRng)),
            A::Es384 => Self::P384(p384::SecretKey::random(&mut OsRng)),
            A::Es512 => Self::P521(p521::SecretKey::random(&mut OsRng)),
            A::EdDsa | A::Ed25519 => {
                let mut seed = [0; 32];
                OsRng.fill_bytes(&mut seed);
                Self::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(&seed)))
            }
            A::Hs256 | A::Hs384 | A::Hs512 => {
                let mut seed = [0; 48];
                OsRng.fill_bytes(&mut seed);
                Self::Secret(URL_SAFE_NO_PAD.encode(seed).into_bytes())
            }
        })
    }

    /// The kind of key, in the standards' words.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RSA",
            Self::P256(_) => "P-256",
            Self::P384(_) => "P-384",
            Self::P521(_) => "P-521",
            Self::Ed25519(_) => "Ed25519",
            Self::Secret(_) => "shared secret",
        }
    }

    /// What signs where nothing else is said.
    #[must_use]
    pub fn default_algorithm(&self) -> SignatureAlgorithm {
        use SignatureAlgorithm as A;
        match self {
            Self::Rsa(_) => A::Rs256,
            Self::P256(_) => A::Es256,
            Self::P384(_) => A::Es384,
            Self::P521(_) => A::Es512,
            Self::Ed25519(_) => A::EdDsa,
            // RFC 7518 §3.2: the key is as long as the hash.
            Self::Secret(bytes) if bytes.len() >= 64 => A::Hs512,
            Self::Secret(bytes) if bytes.len() >= 48 => A::Hs384,
            Self::Secret(_) => A::Hs256,
        }
    }

    /// Whether an honest issuer could sign `algorithm` with a key of this kind.
    #[must_use]
    pub fn signs(&self, algorithm: SignatureAlgorithm) -> bool {
        use SignatureAlgorithm as A;
        match self {
            Self::Rsa(_) => {
                matches!(algorithm, A::Rs256 | A::Rs384 | A::Rs512 | A::Ps256 | A::Ps384 | A::Ps512)
            }
            Self::P256(_) => algorithm == A::Es256,
            Self::P384(_) => algorithm == A::Es384,
            Self::P521(_) => algorithm == A::Es512,
            Self::Ed25519(_) => matches!(algorithm, A::EdDsa | A::Ed25519),
            Self::Secret(_) => matches!(algorithm, A::Hs256 | A::Hs384 | A::Hs512),
        }
    }

    /// The public JWK (RFC 7517); for a shared secret the secret itself.
    #[must_use]
    pub fn jwk(&self, kid: Option<&str>, algorithm: Option<&str>) -> Value {
        let mut jwk = match self {
            Self::Rsa(key) => {
                json!({"kty": "RSA", "n": encode(&key.n().to_bytes_be()), "e": encode(&key.e().to_bytes_be())})
            }
            Self::P256(key) => {
                let point = key.public_key().to_encoded_point(false);
                ec_jwk("P-256", point.x().map(AsRef::as_ref), point.y().map(AsRef::as_ref))
            }
            Self::P384(key) => {
                let point = key.public_key().to_encoded_point(false);
                ec_jwk("P-384", point.x().map(AsRef::as_ref), point.y().map(AsRef::as_ref))
            }
            Self::P521(key) => {
                let point = key.public_key().to_encoded_point(false);
                ec_jwk("P-521", point.x().map(AsRef::as_ref), point.y().map(AsRef::as_ref))
            }
            Self::Ed25519(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(key.verifying_key().as_bytes())})
            }
            Self::Secret(bytes) => json!({"kty": "oct", "k": encode(bytes)}),
        };
        if let Some(kid) = kid {
            jwk["kid"] = json!(kid);
        }
        if let Some(algorithm) = algorithm {
            jwk["alg"] = json!(algorithm);
        }
        jwk
    }

    /// The thumbprint of the public half (RFC 7638 §3); a shared secret has none that may be told.
    #[must_use]
    pub fn thumbprint(&self) -> Option<String> {
        if matches!(self, Self::Secret(_)) {
            return None;
        }
        let members: BTreeMap<String, Value> = serde_json::from_value(self.jwk(None, None)).unwrap_or_default();
        let text = serde_json::to_string(&members).unwrap_or_default();
        Some(encode(&Sha256::digest(text)))
    }

    /// Whether a signature that an honest issuer could have made is good: of the kinds that gatepost's own tokens have.
    #[must_use]
    pub fn verifies(&self, algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        use SignatureAlgorithm as A;
        match (self, algorithm) {
            (Self::P256(key), A::Es256) => p256::ecdsa::Signature::from_slice(signature).is_ok_and(|signature| {
                p256::ecdsa::VerifyingKey::from(key.public_key()).verify(message, &signature).is_ok()
            }),
            (Self::Ed25519(key), A::EdDsa) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verifying_key().verify_strict(message, &signature).is_ok()),
            (Self::Secret(bytes), A::Hs256) => Hmac::<Sha256>::new_from_slice(bytes)
                .is_ok_and(|hmac| hmac.chain_update(message).verify_slice(signature).is_ok()),
            _ => false,
        }
    }

    /// The public half as SPKI PEM (`BEGIN PUBLIC KEY`).
    ///
    /// # Errors
    ///
    /// [`MintError::NoPublicKey`] for a shared secret.
    pub fn public_pem(&self) -> Result<String, MintError> {
        let pem = match self {
            Self::Rsa(key) => key.to_public_key().to_public_key_pem(LineEnding::LF),
            Self::P256(key) => key.public_key().to_public_key_pem(LineEnding::LF),
            Self::P384(key) => key.public_key().to_public_key_pem(LineEnding::LF),
            Self::P521(key) => key.public_key().to_public_key_pem(LineEnding::LF),
            Self::Ed25519(key) => key.verifying_key().to_public_key_pem(LineEnding::LF),
            Self::Secret(_) => return Err(MintError::NoPublicKey),
        };
        pem.map_err(|_| MintError::UnreadableKey)
    }

    /// The public half as SPKI DER.
    ///
    /// # Errors
    ///
    /// [`MintError::NoPublicKey`] for a shared secret.
    pub fn public_der(&self) -> Result<Vec<u8>, MintError> {
        let der = match self {
            Self::Rsa(key) => key.to_public_key().to_public_key_der(),
            Self::P256(key) => key.public_key().to_public_key_der(),
            Self::P384(key) => key.public_key().to_public_key_der(),
            Self::P521(key) => key.public_key().to_public_key_der(),
            Self::Ed25519(key) => key.verifying_key().to_public_key_der(),
            Self::Secret(_) => return Err(MintError::NoPublicKey),
        };
        der.map(|document| document.as_bytes().to_vec()).map_err(|_| MintError::UnreadableKey)
    }

    /// What goes into a key file: PKCS#8 PEM, or the secret's text.
    ///
    /// # Errors
    ///
    /// [`MintError::UnreadableKey`] where the key cannot be written.
    pub fn private_text(&self) -> Result<String, MintError> {
        let pem = match self {
            Self::Rsa(key) => key.to_pkcs8_pem(LineEnding::LF),
            Self::P256(key) => key.to_pkcs8_pem(LineEnding::LF),
            Self::P384(key) => key.to_pkcs8_pem(LineEnding::LF),
            Self::P521(key) => key.to_pkcs8_pem(LineEnding::LF),
            Self::Ed25519(key) => key.to_pkcs8_pem(LineEnding::LF),
            Self::Secret(bytes) => return Ok(String::from_utf8_lossy(bytes).into_owned()),
        };
        pem.map(|text| text.to_string()).map_err(|_| MintError::UnreadableKey)
    }
}

fn ec_jwk(curve: &str, x: Option<&[u8]>, y: Option<&[u8]>) -> Value {
    json!({"kty": "EC", "crv": curve, "x": encode(x.unwrap_or_default()), "y": encode(y.unwrap_or_default())})
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The names of the keys in `tests/keys`.
pub const FIXTURE_NAMES: [&str; 13] =
    ["rs1", "rs2", "rs3072", "weak1024", "es1", "es2", "es384", "es512", "ed1", "ed2", "hs1", "hs2", "hs48"];

/// Their texts, in the same order; within the command, so that it works wherever it is run.
const FIXTURES: [&str; 13] = [
    include_str!("../../../tests/keys/rs1.pem"),
    include_str!("../../../tests/keys/rs2.pem"),
    include_str!("../../../tests/keys/rs3072.pem"),
    include_str!("../../../tests/keys/weak1024.pem"),
    include_str!("../../../tests/keys/es1.pem"),
    include_str!("../../../tests/keys/es2.pem"),
    include_str!("../../../tests/keys/es384.pem"),
    include_str!("../../../tests/keys/es512.pem"),
    include_str!("../../../tests/keys/ed1.pem"),
    include_str!("../../../tests/keys/ed2.pem"),
    include_str!("../../../tests/keys/hs1.txt"),
    include_str!("../../../tests/keys/hs2.txt"),
    include_str!("../../../tests/keys/hs48.txt"),
];
