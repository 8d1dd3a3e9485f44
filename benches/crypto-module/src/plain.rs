//! The crates as their documentation uses them.

use gatepost::crypto::Algorithm;
use hmac::{Hmac, Mac as _};
use p256::{ecdsa::signature::Verifier as _, pkcs8::DecodePublicKey as _};
use rsa::{Pkcs1v15Sign, Pss, RsaPublicKey};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// A key of one of the crates.
pub enum Key {
    /// `hmac`
    Secret(&'static [u8]),
    /// `rsa`
    Rsa(Box<RsaPublicKey>),
    /// `p256`
    P256(Box<p256::ecdsa::VerifyingKey>),
    /// `p384`
    P384(Box<p384::ecdsa::VerifyingKey>),
    /// `p521`
    P521(Box<p521::ecdsa::VerifyingKey>),
    /// `ed25519-dalek`
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
}

impl Key {
    /// The public key of an algorithm.
    pub fn read(algorithm: Algorithm, pem: &str) -> Option<Self> {
        Some(match algorithm {
            Algorithm::Es256 => Self::P256(Box::new(p256::ecdsa::VerifyingKey::from_public_key_pem(pem).ok()?)),
            Algorithm::Es384 => Self::P384(Box::new(p384::PublicKey::from_public_key_pem(pem).ok()?.into())),
            Algorithm::Es512 => {
                let key = p521::PublicKey::from_public_key_pem(pem).ok()?;
                Self::P521(Box::new(p521::ecdsa::VerifyingKey::from_affine(*key.as_affine()).ok()?))
            }
            Algorithm::EdDsa => Self::Ed25519(Box::new(ed25519_dalek::VerifyingKey::from_public_key_pem(pem).ok()?)),
            _ => Self::Rsa(Box::new(RsaPublicKey::from_public_key_pem(pem).ok()?)),
        })
    }

    /// Whether a signature is good.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Secret(secret) => hmac(algorithm, secret, message, signature).is_some(),
            Self::Rsa(key) => rsa(algorithm, key, message, signature),
            Self::P256(key) => {
                p256::ecdsa::Signature::from_slice(signature).is_ok_and(|s| key.verify(message, &s).is_ok())
            }
            Self::P384(key) => {
                p384::ecdsa::Signature::from_slice(signature).is_ok_and(|s| key.verify(message, &s).is_ok())
            }
            Self::P521(key) => {
                p521::ecdsa::Signature::from_slice(signature).is_ok_and(|s| key.verify(message, &s).is_ok())
            }
            Self::Ed25519(key) => {
                ed25519_dalek::Signature::from_slice(signature).is_ok_and(|s| key.verify(message, &s).is_ok())
            }
        }
    }
}

fn hmac(algorithm: Algorithm, secret: &[u8], message: &[u8], tag: &[u8]) -> Option<()> {
    match algorithm {
        Algorithm::Hs256 => Hmac::<Sha256>::new_from_slice(secret).ok()?.chain_update(message).verify_slice(tag).ok(),
        Algorithm::Hs384 => Hmac::<Sha384>::new_from_slice(secret).ok()?.chain_update(message).verify_slice(tag).ok(),
        _ => Hmac::<Sha512>::new_from_slice(secret).ok()?.chain_update(message).verify_slice(tag).ok(),
    }
}

fn rsa(algorithm: Algorithm, key: &RsaPublicKey, message: &[u8], signature: &[u8]) -> bool {
    let verified = match algorithm {
        Algorithm::Rs256 => key.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message), signature),
        Algorithm::Rs384 => key.verify(Pkcs1v15Sign::new::<Sha384>(), &Sha384::digest(message), signature),
        Algorithm::Rs512 => key.verify(Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(message), signature),
        Algorithm::Ps256 => key.verify(Pss::new::<Sha256>(), &Sha256::digest(message), signature),
        Algorithm::Ps384 => key.verify(Pss::new::<Sha384>(), &Sha384::digest(message), signature),
        _ => key.verify(Pss::new::<Sha512>(), &Sha512::digest(message), signature),
    };
    verified.is_ok()
}
