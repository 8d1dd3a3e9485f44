//! Envoy's foreign function `verify_signature`, by the RustCrypto crates.

use prost::Message;
use rsa::{pkcs8::DecodePublicKey, signature::Verifier};

/// Calls a foreign function. None if there is none of this name, or it does not take the arguments.
pub fn call(function: &str, arguments: &[u8]) -> Option<Vec<u8>> {
    if function != "verify_signature" {
        return None;
    }
    let arguments = Arguments::decode(arguments).ok()?;
    let verdict = match verify(&arguments) {
        Ok(()) => Verdict { result: true, error: String::new() },
        Err(error) => Verdict { result: false, error: error.to_owned() },
    };
    Some(verdict.encode_to_vec())
}

/// `VerifySignatureArguments`.
#[derive(Clone, PartialEq, Message)]
struct Arguments {
    #[prost(string, tag = "1")]
    hash_function: String,
    /// A SubjectPublicKeyInfo in DER.
    #[prost(bytes, tag = "2")]
    public_key: Vec<u8>,
    #[prost(bytes, tag = "3")]
    signature: Vec<u8>,
    #[prost(bytes, tag = "4")]
    text: Vec<u8>,
}

/// `VerifySignatureResult`.
#[derive(Clone, PartialEq, Message)]
struct Verdict {
    #[prost(bool, tag = "1")]
    result: bool,
    #[prost(string, tag = "2")]
    error: String,
}

fn verify(arguments: &Arguments) -> Result<(), &'static str> {
    let Arguments { hash_function, public_key: key, signature, text } = arguments;
    if let Ok(key) = rsa::RsaPublicKey::from_public_key_der(key) {
        let signature = &rsa::pkcs1v15::Signature::try_from(signature.as_slice()).map_err(|_| BAD)?;
        let verified = match hash_function.as_str() {
            "sha256" => rsa::pkcs1v15::VerifyingKey::<sha2::Sha256>::new(key).verify(text, signature),
            "sha384" => rsa::pkcs1v15::VerifyingKey::<sha2::Sha384>::new(key).verify(text, signature),
            "sha512" => rsa::pkcs1v15::VerifyingKey::<sha2::Sha512>::new(key).verify(text, signature),
            _ => return Err("unknown hash function"),
        };
        return verified.map_err(|_| BAD);
    }
    // Each curve with the hash that its crate verifies with, which is the one that JWS gives it.
    let verified = match hash_function.as_str() {
        "sha256" => {
            let key = p256::ecdsa::VerifyingKey::from_public_key_der(key).map_err(|_| "no such key")?;
            key.verify(text, &p256::ecdsa::DerSignature::try_from(signature.as_slice()).map_err(|_| BAD)?)
        }
        "sha384" => {
            let key = p384::ecdsa::VerifyingKey::from_public_key_der(key).map_err(|_| "no such key")?;
            key.verify(text, &p384::ecdsa::DerSignature::try_from(signature.as_slice()).map_err(|_| BAD)?)
        }
        "sha512" => {
            let key = p521::PublicKey::from_public_key_der(key).map_err(|_| "no such key")?;
            let key = p521::ecdsa::VerifyingKey::from_affine(*key.as_affine()).map_err(|_| "no such key")?;
            key.verify(text, &p521::ecdsa::Signature::from_der(signature).map_err(|_| BAD)?)
        }
        _ => return Err("unknown hash function"),
    };
    verified.map_err(|_| BAD)
}

const BAD: &str = "Failed to verify digital signature.";
