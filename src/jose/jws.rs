//! A JWS in compact serialisation (RFC 7515 §3.1), taken apart strictly.

use std::rc::Rc;

use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::BASE64_URL_SAFE_NO_PAD,
};

use super::TokenError;
use crate::{crypto::Algorithm, json::Json};

/// A JWS whose signature has not been verified.
#[derive(Debug)]
pub struct Jws<'a> {
    /// The header parameters that verification needs.
    pub header: Rc<Header>,
    /// What the signature is over (RFC 7515 §5.1).
    pub signing_input: &'a [u8],
    /// The signature.
    pub signature: Vec<u8>,
    payload: Vec<u8>,
}

/// A header that came with a good signature. Tokens of one key have the same, byte for byte.
#[derive(Clone, Debug)]
pub struct KnownHeader {
    encoded: Box<str>,
    header: Rc<Header>,
}

/// What a JOSE header says (RFC 7515 §4). `jku`, `jwk`, `x5u` and `x5c` are not here: a token does not choose its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// `alg`, if it is one that gatepost knows.
    pub algorithm: Option<Algorithm>,
    /// `kid`; an empty one is a key id like any other.
    pub key_id: Option<String>,
    /// `typ`.
    pub media_type: Option<String>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    ///
    /// [`TokenError::Malformed`] for everything that is not three parts of strict base64url (RFC 4648 §5, without padding
    /// and with zero trailing bits) that hold a JSON object each, [`TokenError::CriticalHeader`] for extensions.
    pub fn parse(token: &'a str, known: Option<&KnownHeader>) -> Result<Self, TokenError> {
        let parts = Parts::split(token)?;
        let header = match known.filter(|known| *known.encoded == *parts.header) {
            Some(known) => Rc::clone(&known.header),
            None => Rc::new(Header::read(&parts.header_members()?)?),
        };
        parts.decode(header)
    }

    /// The header, to be known again; none if it is too long to be kept.
    #[must_use]
    pub fn known_header(&self) -> Option<KnownHeader> {
        let input = std::str::from_utf8(self.signing_input).ok()?;
        let (encoded, _) = input.split_once('.').filter(|(encoded, _)| encoded.len() <= MOST_KNOWN)?;
        Some(KnownHeader { encoded: encoded.into(), header: Rc::clone(&self.header) })
    }

    /// [`parse`](Self::parse), with the whole header: for proofs, which do choose their keys.
    pub(super) fn parse_with_header(token: &'a str) -> Result<(Self, Json), TokenError> {
        let parts = Parts::split(token)?;
        let members = parts.header_members()?;
        let header = Rc::new(Header::read(&members)?);
        Ok((parts.decode(header)?, members))
    }

    /// The claims. To be read only once the signature is verified.
    ///
    /// # Errors
    ///
    /// [`TokenError::Malformed`] if the payload is not a JSON object, or a member name comes twice in it.
    pub fn claims(&self) -> Result<Json, TokenError> {
        Json::parse_strict_object(&self.payload, MAX_DEPTH).ok_or(TokenError::Malformed)
    }
}

impl KnownHeader {
    /// Whether this is where the token's header was read.
    #[must_use]
    pub fn is_of(&self, jws: &Jws<'_>) -> bool {
        Rc::ptr_eq(&self.header, &jws.header)
    }
}

/// The three parts of a token, still encoded.
struct Parts<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
    signing_input: &'a [u8],
}

impl<'a> Parts<'a> {
    fn split(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > MAX_LENGTH {
            return Err(TokenError::Malformed);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        // A third dot would be in the payload; it is no character of base64url.
        let (header, payload) = signing_input.split_once('.').ok_or(TokenError::Malformed)?;
        Ok(Self { header, payload, signature, signing_input: signing_input.as_bytes() })
    }

    fn header_members(&self) -> Result<Json, TokenError> {
        Json::parse_strict_object(&decode(self.header)?, MAX_DEPTH).ok_or(TokenError::Malformed)
    }

    fn decode(self, header: Rc<Header>) -> Result<Jws<'a>, TokenError> {
        let payload = decode(self.payload)?;
        if payload.is_empty() {
            return Err(TokenError::Malformed);
        }
        Ok(Jws { header, signing_input: self.signing_input, signature: decode(self.signature)?, payload })
    }
}

impl Header {
    fn read(header: &Json) -> Result<Self, TokenError> {
        if header.get("crit").is_some() || header.get("b64").is_some_and(|b64| *b64 != Json::Bool(true)) {
            return Err(TokenError::CriticalHeader);
        }
        let text = |name| match header.get(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(TokenError::Malformed),
        };
        Ok(Self {
            algorithm: text("alg")?.ok_or(TokenError::Malformed).map(|name| Algorithm::from_name(&name))?,
            key_id: text("kid")?,
            media_type: text("typ")?,
        })
    }
}

/// Whom a text says that it is from, if it looks like a JWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It does not look like one.
    Nothing,
    /// It does, and cannot be read.
    Unreadable,
    /// Every `iss` in it.
    Issuers(Vec<String>),
}

/// Whom a text says that it is from. Read as leniently as any server may, as its token is to be kept from others: whether it
/// is a JWS at all, and a good one, is another question.
#[must_use]
pub fn claimed_issuers(token: &str) -> Claimed {
    if token.bytes().filter(|byte| *byte == b'.').count() < 2 {
        return Claimed::Nothing;
    }
    let mut issuers = None;
    for part in token.split('.') {
        let decoded = LENIENT_URL_SAFE.decode(part).or_else(|_| LENIENT_STANDARD.decode(part)).unwrap_or_default();
        let decoded = decoded.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&decoded);
        if decoded.trim_ascii_start().first() != Some(&b'{') {
            continue;
        }
        let Ok(Json::Object(members)) = Json::parse(decoded, MAX_DEPTH) else {
            return Claimed::Unreadable;
        };
        let named = members.into_iter().filter(|(name, _)| name == "iss");
        let named = named.filter_map(|(_, value)| value.as_str().map(str::to_owned));
        issuers.get_or_insert_with(Vec::new).extend(named);
    }
    issuers.map_or(Claimed::Nothing, Claimed::Issuers)
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const LENIENT_URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);
const LENIENT_STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);

fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)
}

/// The longest token that is looked at, in bytes.
pub(crate) const MAX_LENGTH: usize = 16 * 1024;
/// The longest header that is known again, in bytes of base64url.
const MOST_KNOWN: usize = 1024;
/// How deep its JSON may nest.
const MAX_DEPTH: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    fn token(header: &str, payload: &str) -> String {
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", encode(header), encode(payload), encode("signature"))
    }

    fn parse(header: &str, payload: &str) -> Result<Json, TokenError> {
        let token = token(header, payload);
        Jws::parse(&token, None)?.claims()
    }

    test!(a_token_has_three_parts, {
        let good = token(r#"{"alg":"ES256","kid":"","typ":"JWT"}"#, r#"{"sub":"x"}"#);
        let jws = Jws::parse(&good, None).unwrap();
        assert_eq!(jws.header.algorithm, Some(Algorithm::Es256));
        assert_eq!(jws.header.key_id.as_deref(), Some(""));
        assert_eq!(jws.header.media_type.as_deref(), Some("JWT"));
        assert_eq!(jws.signature, b"signature");
        assert_eq!(jws.signing_input.len(), good.rfind('.').unwrap());
        for bad in ["", ".", "..", "a.b", &format!("{good}.a"), &format!("{good}="), &format!(" {good}"), &good[1..]] {
            assert_eq!(Jws::parse(bad, None).unwrap_err(), TokenError::Malformed, "{bad}");
        }
    });

    test!(base64url_is_strict, {
        // "e30" is `{}`; "e31" decodes to the same bytes with a trailing bit set.
        assert!(decode("e30").is_ok());
        for part in ["e31", "e30=", "e3 0", "e30\n", "e+/0", "e"] {
            assert_eq!(decode(part), Err(TokenError::Malformed), "{part}");
        }
    });

    test!(headers_are_strict, {
        for header in [
            "",
            "[]",
            "null",
            "{}",
            r#"{"alg":1}"#,
            r#"{"alg":null}"#,
            r#"{"alg":"ES256","alg":"ES256"}"#,
            r#"{"alg":"ES256","kid":1}"#,
            r#"{"alg":"ES256","typ":["JWT"]}"#,
            r#"{"alg":"ES256","x":{"a":1,"a":2}}"#,
        ] {
            assert_eq!(parse(header, "{}"), Err(TokenError::Malformed), "{header}");
        }
        for header in [
            r#"{"alg":"ES256","crit":["exp"]}"#,
            r#"{"alg":"ES256","crit":[]}"#,
            r#"{"alg":"ES256","b64":false}"#,
            r#"{"alg":"ES256","b64":"true"}"#,
        ] {
            assert_eq!(parse(header, "{}"), Err(TokenError::CriticalHeader), "{header}");
        }
        let none = Jws::parse(&token(r#"{"alg":"none"}"#, "{}"), None).map(|jws| jws.header.algorithm);
        assert_eq!(none, Ok(None));
    });

    test!(payloads_are_objects_without_duplicates, {
        for payload in ["[]", "1", "\"x\"", "{\"a\":1,\"a\":1}", "{", "{}{}"] {
            assert_eq!(parse(r#"{"alg":"ES256"}"#, payload), Err(TokenError::Malformed), "{payload}");
        }
        assert!(parse(r#"{"alg":"ES256"}"#, "{}").is_ok());
    });

    test!(length_and_depth_are_bounded, {
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(16 * 1024));
        assert_eq!(parse(r#"{"alg":"ES256"}"#, &long), Err(TokenError::Malformed));
        let deep = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(r#"{"alg":"ES256"}"#, &deep(31)).is_ok());
        assert_eq!(parse(r#"{"alg":"ES256"}"#, &deep(32)), Err(TokenError::Malformed));
    });

    test!(whom_a_token_is_from_is_read_leniently, {
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        let from = |names: &[&str]| Claimed::Issuers(names.iter().map(|name| (*name).to_owned()).collect());
        let (header, payload) = (encode("{}"), encode(r#"{"iss":"i"}"#));
        for token in [
            format!("{header}.{payload}.x"),
            format!("{header}.{payload}.x."),
            format!("x.{header}.{payload}.x"),
            format!("{header}.{payload}=.x"),
            format!("{header}.{}.x", encode(" {\"iss\":\"i\"}")),
            format!("{header}.{}.x", encode("\u{feff}{\"iss\":\"i\"}")),
        ] {
            assert_eq!(claimed_issuers(&token), from(&["i"]), "{token}");
        }
        assert_eq!(claimed_issuers(&format!("{header}.{}.", encode(r#"{"iss":"a","iss":"b"}"#))), from(&["a", "b"]));
        assert_eq!(claimed_issuers(&format!("{header}.{}.", encode(r#"{"sub":"i"}"#))), from(&[]));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(40), "]".repeat(40));
        for payload in [deep.as_str(), "{\"iss\":\"i\""] {
            assert_eq!(claimed_issuers(&format!("e30.{}.x", encode(payload))), Claimed::Unreadable);
        }
        for opaque in ["", "opaque", "a.b", "a.b.c", "v2.local.AAAA", ".."] {
            assert_eq!(claimed_issuers(opaque), Claimed::Nothing, "{opaque}");
        }
    });
}
