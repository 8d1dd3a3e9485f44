//! What is done to a token that its issuer would not do.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::elliptic_curve::Curve as _;
use p256::elliptic_curve::bigint::ArrayEncoding as _;
use serde::Deserialize;
use serde_json::Value;

use super::{MintError, PrivateKey, payload};

/// One deed. Those that spoil the encoding of the header or payload come before the signature is made, so that the
/// signature is good over the spoilt text and nothing but strictness refuses it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Tamper {
    /// Flips one bit of the signature, counted from its first byte's lowest.
    FlipSignatureBit(usize),
    /// Cuts that many bytes off the signature's end.
    TruncateSignature(usize),
    /// Appends that many zero bytes to the signature.
    ExtendSignature(usize),
    /// Puts that many zero bytes before the signature.
    PrependSignature(usize),
    /// `header.payload.`
    EmptySignature,
    /// Leaves a part and its dot out.
    DropPart(Part),
    /// Writes a part twice, with a dot between.
    DuplicatePart(Part),
    /// Adds base64 padding, right or not.
    Pad(Part),
    /// Sets the unused low bits of the last base64 character (RFC 4648 §3.5).
    TrailingBits(Part),
    /// Writes the part in the alphabet of plain base64.
    StandardAlphabet(Part),
    /// Inserts text at a byte of a part.
    Insert {
        /// Which part.
        part: Part,
        /// Before which byte; beyond the end is the end.
        at: usize,
        /// The text, as it is.
        text: String,
    },
    /// Other claims under the old signature.
    SwapPayload(Value),
    /// Another header under the old signature.
    SwapHeader(Value),
    /// ECDSA: the larger of `s` and `n - s`; still a good signature.
    HighS,
    /// ECDSA: the smaller of the two.
    LowS,
    /// ECDSA as an ASN.1 sequence, as TLS has it, not as JWS does (RFC 7518 §3.4).
    DerSignature,
    /// ECDSA: `r` is zero.
    ZeroR,
    /// ECDSA: `s` is zero.
    ZeroS,
    /// ECDSA: both are zero (CVE-2022-21449).
    ZeroRS,
    /// ECDSA: `r` is the group's order.
    OrderR,
    /// ECDSA: `s` is the group's order.
    OrderS,
    /// RSASSA-PSS with a salt of that many bytes.
    PssSaltLength(usize),
    /// Raw replacement of a part; `with` may hold dots.
    ReplacePart {
        /// Which part.
        part: Part,
        /// The new text, as it is.
        with: String,
    },
}

impl Tamper {
    /// The salt that a PSS signature is made with.
    pub(super) fn pss_salt_length(&self) -> Option<usize> {
        match self {
            Self::PssSaltLength(length) => Some(*length),
            _ => None,
        }
    }

    /// Spoils the encoded header or payload, to be signed as it then is.
    pub(super) fn before_signing(&self, header: &mut String, payload: &mut String) -> Result<(), MintError> {
        match self.spoilt_part() {
            Some(Part::Header) => self.spoil(header),
            Some(Part::Payload) => self.spoil(payload),
            Some(Part::Signature) | None => Ok(()),
        }
    }

    /// Changes the signature's bytes.
    pub(super) fn signature(&self, key: &PrivateKey, signature: &mut Vec<u8>) -> Result<(), MintError> {
        match self {
            Self::FlipSignatureBit(bit) => match signature.get_mut(bit / 8) {
                Some(byte) => *byte ^= 1 << (bit % 8),
                None => return Err(not_applicable("flip_signature_bit", "the signature is shorter")),
            },
            Self::TruncateSignature(bytes) => signature.truncate(signature.len().saturating_sub(*bytes)),
            Self::ExtendSignature(bytes) => signature.resize(signature.len() + bytes, 0),
            Self::PrependSignature(bytes) => {
                signature.splice(0..0, std::iter::repeat_n(0, *bytes));
            }
            Self::EmptySignature => signature.clear(),
            Self::HighS => choose_s(key, signature, "high_s", true)?,
            Self::LowS => choose_s(key, signature, "low_s", false)?,
            Self::DerSignature => *signature = der(key, signature)?,
            Self::ZeroR => ecdsa_halves(key, signature, "zero_r")?.0.fill(0),
            Self::ZeroS => ecdsa_halves(key, signature, "zero_s")?.1.fill(0),
            Self::ZeroRS => {
                ecdsa_halves(key, signature, "zero_r_s")?;
                signature.fill(0);
            }
            Self::OrderR => {
                let order = order(key).unwrap_or_default();
                ecdsa_halves(key, signature, "order_r")?.0.copy_from_slice(&order);
            }
            Self::OrderS => {
                let order = order(key).unwrap_or_default();
                ecdsa_halves(key, signature, "order_s")?.1.copy_from_slice(&order);
            }
            _ => {}
        }
        Ok(())
    }

    /// Changes the parts' texts.
    pub(super) fn after_signing(&self, parts: &mut Vec<String>, now: u64) -> Result<(), MintError> {
        match self {
            Self::DropPart(part) => {
                parts.remove(part.index());
            }
            Self::DuplicatePart(part) => parts.insert(part.index(), parts[part.index()].clone()),
            Self::SwapPayload(claims) => {
                parts[Part::Payload.index()] = URL_SAFE_NO_PAD.encode(payload(claims, now)?.to_string());
            }
            Self::SwapHeader(header) => {
                parts[Part::Header.index()] = URL_SAFE_NO_PAD.encode(header.to_string());
            }
            Self::ReplacePart { part, with } => parts[part.index()].clone_from(with),
            _ if self.spoilt_part() == Some(Part::Signature) => {
                self.spoil(&mut parts[Part::Signature.index()])?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The part whose encoding this spoils.
    fn spoilt_part(&self) -> Option<Part> {
        match self {
            Self::Pad(part) | Self::TrailingBits(part) | Self::StandardAlphabet(part) | Self::Insert { part, .. } => {
                Some(*part)
            }
            _ => None,
        }
    }

    fn spoil(&self, text: &mut String) -> Result<(), MintError> {
        match self {
            Self::Pad(_) => {
                // A text that needs no padding gets a character of it nevertheless.
                let missing = (4 - text.len() % 4) % 4;
                text.push_str(&"=".repeat(missing.max(1)));
            }
            Self::TrailingBits(_) => set_trailing_bits(text)?,
            Self::StandardAlphabet(_) => *text = text.replace('-', "+").replace('_', "/"),
            Self::Insert { at, text: inserted, .. } => text.insert_str((*at).min(text.len()), inserted),
            _ => {}
        }
        Ok(())
    }
}

/// A part of a compact JWS (RFC 7515 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the standard's")]
pub enum Part {
    Header,
    Payload,
    Signature,
}

impl Part {
    fn index(self) -> usize {
        match self {
            Self::Header => 0,
            Self::Payload => 1,
            Self::Signature => 2,
        }
    }
}

fn set_trailing_bits(text: &mut String) -> Result<(), MintError> {
    let spare = match text.len() % 4 {
        2 => 0b1111,
        3 => 0b11,
        _ => return Err(not_applicable("trailing_bits", "the part's last character has no unused bits")),
    };
    let last = text.pop().and_then(|last| ALPHABET.find(last)).unwrap_or_default();
    text.extend(ALPHABET.chars().nth(last | spare));
    Ok(())
}

/// `r` and `s`, as long as each other (RFC 7518 §3.4).
fn ecdsa_halves<'s>(
    key: &PrivateKey,
    signature: &'s mut [u8],
    tamper: &'static str,
) -> Result<(&'s mut [u8], &'s mut [u8]), MintError> {
    match order(key) {
        Some(order) if signature.len() == 2 * order.len() => Ok(signature.split_at_mut(order.len())),
        _ => Err(not_applicable(tamper, "it needs an ECDSA signature")),
    }
}

fn choose_s(key: &PrivateKey, signature: &mut [u8], tamper: &'static str, high: bool) -> Result<(), MintError> {
    let order = order(key).unwrap_or_default();
    let (_, s) = ecdsa_halves(key, signature, tamper)?;
    let mut other = order;
    let mut borrow = 0;
    for (digit, subtrahend) in other.iter_mut().zip(s.iter()).rev() {
        let difference = i16::from(*digit) - i16::from(*subtrahend) - borrow;
        borrow = i16::from(difference < 0);
        *digit = difference.rem_euclid(256) as u8;
    }
    if (other.as_slice() > &*s) == high {
        s.copy_from_slice(&other);
    }
    Ok(())
}

fn der(key: &PrivateKey, signature: &[u8]) -> Result<Vec<u8>, MintError> {
    let der = match key {
        PrivateKey::P256(_) => p256::ecdsa::Signature::from_slice(signature).map(|s| s.to_der().as_bytes().to_vec()),
        PrivateKey::P384(_) => p384::ecdsa::Signature::from_slice(signature).map(|s| s.to_der().as_bytes().to_vec()),
        PrivateKey::P521(_) => p521::ecdsa::Signature::from_slice(signature).map(|s| s.to_der().as_bytes().to_vec()),
        _ => return Err(not_applicable("der_signature", "it needs an ECDSA signature")),
    };
    der.map_err(|_| not_applicable("der_signature", "it needs an ECDSA signature"))
}

/// The order of the key's group, big-endian, as long as a coordinate.
fn order(key: &PrivateKey) -> Option<Vec<u8>> {
    match key {
        PrivateKey::P256(_) => Some(p256::NistP256::ORDER.to_be_byte_array().to_vec()),
        PrivateKey::P384(_) => Some(p384::NistP384::ORDER.to_be_byte_array().to_vec()),
        // 521 bits are 66 bytes, kept in whole words.
        PrivateKey::P521(_) => {
            let words = p521::NistP521::ORDER.to_be_byte_array();
            Some(words[words.len() - 66..].to_vec())
        }
        PrivateKey::Rsa(_) | PrivateKey::Ed25519(_) | PrivateKey::Secret(_) => None,
    }
}

fn not_applicable(tamper: &'static str, why: &'static str) -> MintError {
    MintError::NotApplicable { tamper, why }
}

const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[cfg(test)]
mod tests {
    use p256::ecdsa::signature::Verifier as _;
    use serde_json::json;

    use super::*;
    use crate::mint::{TokenSpec, mint};

    const NOW: u64 = 1_750_000_000;

    fn tampered(key: &str, tamper: Value) -> Result<String, MintError> {
        let spec = json!({"key": key, "tamper": tamper});
        mint(&serde_json::from_value::<TokenSpec>(spec).unwrap(), NOW)
    }

    fn signature(token: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(token.rsplit('.').next().unwrap()).unwrap()
    }

    #[test]
    fn a_high_s_is_still_a_good_signature() {
        for (name, high) in [("high_s", true), ("low_s", false)] {
            let token = tampered("es1", json!(name)).unwrap();
            let (message, _) = token.rsplit_once('.').unwrap();
            let PrivateKey::P256(key) = PrivateKey::named("es1").unwrap() else { unreachable!() };
            let raw = p256::ecdsa::Signature::from_slice(&signature(&token)).unwrap();
            assert_eq!(raw.normalize_s().is_some(), high);
            p256::ecdsa::VerifyingKey::from(key.public_key()).verify(message.as_bytes(), &raw).unwrap();
        }
        assert!(tampered("es512", json!("high_s")).is_ok());
        assert!(tampered("ed1", json!("high_s")).is_err());
    }

    #[test]
    fn signatures_change_as_asked() {
        let honest = signature(&tampered("rs1", json!(null)).unwrap());
        let flipped = signature(&tampered("rs1", json!({"flip_signature_bit": 0})).unwrap());
        assert_eq!(flipped[0] ^ 1, honest[0]);
        assert_eq!(flipped[1..], honest[1..]);
        assert_eq!(signature(&tampered("rs1", json!({"truncate_signature": 1})).unwrap()), honest[..255]);
        assert_eq!(signature(&tampered("rs1", json!({"extend_signature": 2})).unwrap()).len(), 258);
        assert_eq!(signature(&tampered("rs1", json!({"prepend_signature": 1})).unwrap())[1..], honest);
        assert!(tampered("rs1", json!("empty_signature")).unwrap().ends_with('.'));
        assert_eq!(signature(&tampered("es384", json!("zero_r_s")).unwrap()), [0; 96]);
        assert_eq!(signature(&tampered("es1", json!("order_r")).unwrap())[..4], [0xff; 4]);
        for key in ["es1", "es384", "es512"] {
            assert_eq!(signature(&tampered(key, json!("der_signature")).unwrap())[0], 0x30);
        }
    }

    #[test]
    fn parts_change_as_asked() {
        for (tamper, count) in [(json!({"drop_part": "signature"}), 2), (json!({"duplicate_part": "payload"}), 4)] {
            assert_eq!(tampered("hs1", tamper).unwrap().split('.').count(), count);
        }
        assert_eq!(tampered("hs1", json!({"replace_part": {"part": "header", "with": "a.b"}})).unwrap()[..4], *"a.b.");
        assert!(tampered("hs1", json!({"pad": "signature"})).unwrap().ends_with('='));
        assert!(
            tampered("hs1", json!({"insert": {"part": "header", "at": 2, "text": "\n"}})).unwrap()[..4]
                .ends_with("\nJ")
        );
        let swapped = tampered("hs1", json!({"swap_payload": {"exp": "@now"}})).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(swapped.split('.').nth(1).unwrap()).unwrap();
        assert_eq!(claims, format!(r#"{{"exp":{NOW}}}"#).into_bytes());
    }

    #[test]
    fn trailing_bits_decode_to_the_same_bytes_where_nobody_looks() {
        let honest = tampered("hs1", json!(null)).unwrap();
        let spoilt = tampered("hs1", json!({"trailing_bits": "signature"})).unwrap();
        assert_ne!(honest, spoilt);
        assert_eq!(honest[..honest.len() - 1], spoilt[..spoilt.len() - 1]);
        assert!(URL_SAFE_NO_PAD.decode(spoilt.rsplit('.').next().unwrap()).is_err());
        // 64 bytes are 86 characters with spare bits, 48 bytes are 64 without.
        assert!(tampered("ed1", json!({"trailing_bits": "signature"})).is_ok());
        assert!(tampered("hs48", json!({"trailing_bits": "signature"})).is_err());
    }

    #[test]
    fn a_pss_salt_of_another_length_changes_nothing_else() {
        let spec = json!({"key": "rs1", "header": {"alg": "PS256"}, "tamper": {"pss_salt_length": 0}});
        let token = mint(&serde_json::from_value::<TokenSpec>(spec).unwrap(), NOW).unwrap();
        let (message, _) = token.rsplit_once('.').unwrap();
        let PrivateKey::Rsa(key) = PrivateKey::named("rs1").unwrap() else { unreachable!() };
        let digest = <sha2::Sha256 as sha2::Digest>::digest(message);
        let verify = |salt| {
            key.to_public_key().verify(rsa::Pss::new_with_salt::<sha2::Sha256>(salt), &digest, &signature(&token))
        };
        assert!(verify(0).is_ok());
        assert!(verify(32).is_err());
    }
}
