//! JWS signatures of all algorithms (RFC 7518 §3, RFC 8037 §3.1), honest or not.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, Mac as _};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use rsa::rand_core::OsRng;
use rsa::{Pkcs1v15Sign, Pss};
use serde::Deserialize;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::{MintError, PrivateKey};

/// A JWS algorithm. The filter has its own: a mistake in one must not hide in the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the standard's")]
pub enum SignatureAlgorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    EdDsa,
    /// RFC 9864's name for EdDSA with Ed25519.
    Ed25519,
}

impl SignatureAlgorithm {
    /// The name in the header's `alg`.
    #[must_use]
    pub fn name(self) -> &'static str {
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
            Self::Ed25519 => "Ed25519",
        }
    }

    fn hash(self) -> Hash {
        match self {
            Self::Hs256 | Self::Rs256 | Self::Ps256 | Self::Es256 => Hash::Sha256,
            Self::Hs384 | Self::Rs384 | Self::Ps384 | Self::Es384 => Hash::Sha384,
            // Ed25519 hashes by itself and does not ask.
            Self::Hs512 | Self::Rs512 | Self::Ps512 | Self::Es512 | Self::EdDsa | Self::Ed25519 => Hash::Sha512,
        }
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for SignatureAlgorithm {
    type Err = MintError;

    fn from_str(name: &str) -> Result<Self, MintError> {
        ALGORITHMS
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or_else(|| MintError::UnknownAlgorithm { name: name.to_owned() })
    }
}

/// Which bytes an attacker takes as the HMAC secret when all they have is a public key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretForm {
    /// The SPKI PEM text as `openssl` prints it, line end included.
    #[default]
    PublicPem,
    /// The PEM text without its last line end.
    PublicPemTrimmed,
    /// The SPKI DER bytes.
    PublicDer,
    /// The public JWK, as compact JSON without `kid`.
    PublicJwk,
    /// No bytes at all (also with a shared secret).
    Empty,
}

/// The signature of `algorithm` over `message`; `pss_salt` changes the length of the salt, in bytes.
pub(super) fn sign(
    key: &PrivateKey,
    algorithm: SignatureAlgorithm,
    message: &[u8],
    form: SecretForm,
    pss_salt: Option<usize>,
) -> Result<Vec<u8>, MintError> {
    use SignatureAlgorithm as A;
    let refused = || MintError::Refused { kind: key.kind(), algorithm };
    let hash = algorithm.hash();
    match (algorithm, key) {
        (A::Hs256 | A::Hs384 | A::Hs512, _) => Ok(hash.mac(&secret(key, form)?, message)),
        (A::Rs256 | A::Rs384 | A::Rs512, PrivateKey::Rsa(key)) => {
            key.sign(hash.pkcs1(), &hash.digest(message)).map_err(|_| refused())
        }
        (A::Ps256 | A::Ps384 | A::Ps512, PrivateKey::Rsa(key)) => {
            key.sign_with_rng(&mut OsRng, hash.pss(pss_salt), &hash.digest(message)).map_err(|_| refused())
        }
        // The curve is the key's and the hash the algorithm's, so that ES256 can be a lie for a P-384 key.
        (A::Es256 | A::Es384 | A::Es512, PrivateKey::P256(key)) => {
            let signature: Result<p256::ecdsa::Signature, _> =
                p256::ecdsa::SigningKey::from(key).sign_prehash(&hash.digest(message));
            signature.map(|signature| signature.to_bytes().to_vec()).map_err(|_| refused())
        }
        (A::Es256 | A::Es384 | A::Es512, PrivateKey::P384(key)) => {
            let signature: Result<p384::ecdsa::Signature, _> =
                p384::ecdsa::SigningKey::from(key).sign_prehash(&hash.digest(message));
            signature.map(|signature| signature.to_bytes().to_vec()).map_err(|_| refused())
        }
        (A::Es256 | A::Es384 | A::Es512, PrivateKey::P521(key)) => {
            let key = p521::ecdsa::SigningKey::from_bytes(&key.to_bytes()).map_err(|_| refused())?;
            let signature: Result<p521::ecdsa::Signature, _> = key.sign_prehash(&hash.digest(message));
            signature.map(|signature| signature.to_bytes().to_vec()).map_err(|_| refused())
        }
        (A::EdDsa | A::Ed25519, PrivateKey::Ed25519(key)) => Ok(key.sign(message).to_bytes().to_vec()),
        _ => Err(MintError::WrongKind { kind: key.kind(), algorithm }),
    }
}

fn secret(key: &PrivateKey, form: SecretForm) -> Result<Vec<u8>, MintError> {
    Ok(match (form, key) {
        (SecretForm::Empty, _) => Vec::new(),
        (_, PrivateKey::Secret(bytes)) => bytes.clone(),
        (SecretForm::PublicPem, key) => key.public_pem()?.into_bytes(),
        (SecretForm::PublicPemTrimmed, key) => key.public_pem()?.trim_end().as_bytes().to_vec(),
        (SecretForm::PublicDer, key) => key.public_der()?,
        (SecretForm::PublicJwk, key) => key.jwk(None, None).to_string().into_bytes(),
    })
}

#[derive(Clone, Copy)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }

    fn mac(self, secret: &[u8], message: &[u8]) -> Vec<u8> {
        // HMAC takes keys of any length (RFC 2104 §3), so that making one cannot fail.
        match self {
            Self::Sha256 => Hmac::<Sha256>::new_from_slice(secret)
                .map(|mac| mac.chain_update(message).finalize().into_bytes().to_vec()),
            Self::Sha384 => Hmac::<Sha384>::new_from_slice(secret)
                .map(|mac| mac.chain_update(message).finalize().into_bytes().to_vec()),
            Self::Sha512 => Hmac::<Sha512>::new_from_slice(secret)
                .map(|mac| mac.chain_update(message).finalize().into_bytes().to_vec()),
        }
        .unwrap_or_default()
    }

    fn pkcs1(self) -> Pkcs1v15Sign {
        match self {
            Self::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
            Self::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
            Self::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
        }
    }

    fn pss(self, salt: Option<usize>) -> Pss {
        match self {
            Self::Sha256 => Pss::new_with_salt::<Sha256>(salt.unwrap_or(32)),
            Self::Sha384 => Pss::new_with_salt::<Sha384>(salt.unwrap_or(48)),
            Self::Sha512 => Pss::new_with_salt::<Sha512>(salt.unwrap_or(64)),
        }
    }
}

const ALGORITHMS: [SignatureAlgorithm; 14] = [
    SignatureAlgorithm::Hs256,
    SignatureAlgorithm::Hs384,
    SignatureAlgorithm::Hs512,
    SignatureAlgorithm::Rs256,
    SignatureAlgorithm::Rs384,
    SignatureAlgorithm::Rs512,
    SignatureAlgorithm::Ps256,
    SignatureAlgorithm::Ps384,
    SignatureAlgorithm::Ps512,
    SignatureAlgorithm::Es256,
    SignatureAlgorithm::Es384,
    SignatureAlgorithm::Es512,
    SignatureAlgorithm::EdDsa,
    SignatureAlgorithm::Ed25519,
];
