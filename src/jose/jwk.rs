//! JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037 §2), read for verification alone.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::TokenError;
use crate::{
    crypto::{self, Algorithm, AlgorithmSet, Curve, KeyError, VerificationKey, host::Verifier},
    json::Json,
};

/// A key of a set.
#[derive(Debug)]
pub struct Jwk {
    /// `kid`; none where the member is absent.
    pub key_id: Option<String>,
    /// What the key may verify: its `alg` if it has one, else what its type and curve allow.
    pub algorithms: AlgorithmSet,
    /// The key.
    pub key: VerificationKey,
    /// What tells it from every other key.
    pub fingerprint: KeyFingerprint,
}

/// A digest of everything in a key that decides which tokens it verifies: a token that a key has verified is good as long
/// as a key with the same fingerprint is in the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyFingerprint([u8; 32]);

/// The keys of one authenticator.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Jwk>,
    /// Whether the keys are a JWK set, whose members bear key ids, or one key that was given alone.
    ids_matter: bool,
}

/// Why a key was refused, and which of its members is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JwkError {
    /// The member's name; none where it is the key as a whole.
    pub member: Option<&'static str>,
    /// What is wrong.
    pub kind: JwkErrorKind,
}

/// What is wrong with a key or one of its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwkErrorKind {
    /// The key is not a JSON object.
    NotAnObject,
    /// The member is missing.
    Missing,
    /// The member is not a string.
    NotAString,
    /// The member is not an array of strings.
    NotStrings,
    /// The member is not base64url without padding (RFC 7515 §2).
    NotBase64Url,
    /// `kty` is not RSA, EC, OKP or oct.
    UnknownKeyType,
    /// `crv` is none that JWS uses.
    UnknownCurve,
    /// `alg` is no signature algorithm that gatepost verifies.
    UnknownAlgorithm,
    /// `alg` is not one for a key of this type, curve or length.
    AlgorithmMismatch,
    /// A member name comes twice (RFC 7517 §4).
    DuplicateMember,
    /// The set has more keys than are read.
    TooMany,
    /// `use` is not `sig`, or `key_ops` lacks `verify` (RFC 7517 §4.2, §4.3).
    NotForVerification,
    /// The key itself is refused.
    Key(KeyError),
}

impl Jwk {
    /// Reads one key. Members that are not for verification are ignored (RFC 7517 §4).
    ///
    /// # Errors
    ///
    /// A [`JwkError`] that names the member.
    pub fn parse(json: &Json) -> Result<Self, JwkError> {
        if !matches!(json, Json::Object(_)) {
            return Err(JwkErrorKind::NotAnObject.of_key());
        }
        check_purpose(json)?;
        let key = match text(json, "kty")? {
            "RSA" => VerificationKey::rsa(&bytes(json, "n")?, &bytes(json, "e")?),
            "EC" => {
                let curve = Curve::from_name(text(json, "crv")?);
                let curve = curve.ok_or(JwkErrorKind::UnknownCurve.of("crv"))?;
                VerificationKey::ec(curve, &bytes(json, "x")?, &bytes(json, "y")?)
            }
            "OKP" if text(json, "crv")? == "Ed25519" => VerificationKey::ed25519(&bytes(json, "x")?),
            "OKP" => return Err(JwkErrorKind::UnknownCurve.of("crv")),
            "oct" => VerificationKey::hmac(&bytes(json, "k")?),
            _ => return Err(JwkErrorKind::UnknownKeyType.of("kty")),
        };
        let key = key.map_err(|error| JwkError { member: blamed_member(error), kind: JwkErrorKind::Key(error) })?;
        let algorithms = match optional_text(json, "alg")? {
            None => key.algorithms(),
            Some(name) => {
                let algorithm = Algorithm::from_name(name).ok_or(JwkErrorKind::UnknownAlgorithm.of("alg"))?;
                if !key.algorithms().contains(algorithm) {
                    return Err(JwkErrorKind::AlgorithmMismatch.of("alg"));
                }
                AlgorithmSet::of(&[algorithm])
            }
        };
        let key_id = optional_text(json, "kid")?.map(str::to_owned);
        Ok(Self { key_id, algorithms, key, fingerprint: KeyFingerprint::of(json) })
    }
}

/// The thumbprint of a public key (RFC 7638 §3): a SHA-256 of the members that make it, and of no others. None where one
/// of those is missing, or the key is symmetric.
#[must_use]
pub fn thumbprint(json: &Json) -> Option<[u8; 32]> {
    let text = |member| json.get(member)?.as_str();
    let members: &[&str] = match text("kty")? {
        "RSA" => &["e", "kty", "n"],
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        _ => return None,
    };
    let members = members.iter().map(|name| Some((*name, text(name)?))).collect::<Option<Vec<_>>>()?;
    Some(crypto::thumbprint(members.into_iter()))
}

impl KeySet {
    /// The keys of a JWK set.
    #[must_use]
    pub fn new(keys: Vec<Jwk>) -> Self {
        Self { keys, ids_matter: true }
    }

    /// One key that was given without an id: it verifies tokens whatever `kid` they name.
    #[must_use]
    pub fn single(key: VerificationKey) -> Self {
        let key = Jwk { key_id: None, algorithms: key.algorithms(), key, fingerprint: KeyFingerprint::of(&Json::Null) };
        Self { keys: vec![key], ids_matter: false }
    }

    /// What all keys together can verify.
    #[must_use]
    pub fn algorithms(&self) -> AlgorithmSet {
        self.keys.iter().flat_map(|key| key.algorithms.iter()).collect()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether a key is symmetric.
    #[must_use]
    pub fn has_symmetric(&self) -> bool {
        self.keys.iter().any(|key| key.algorithms.iter().any(Algorithm::is_symmetric))
    }

    /// Whether a key is in the set.
    #[must_use]
    pub fn holds(&self, fingerprint: KeyFingerprint) -> bool {
        self.keys.iter().any(|key| key.fingerprint == fingerprint)
    }

    /// The `kid` of a key of the set.
    #[must_use]
    pub fn key_id(&self, fingerprint: KeyFingerprint) -> Option<&str> {
        self.keys.iter().find(|key| key.fingerprint == fingerprint)?.key_id.as_deref()
    }

    /// Verifies a signature with the keys that bear the key id, or, where the token names none, with those of the right
    /// type, eight at most. Tells which one did.
    ///
    /// # Errors
    ///
    /// [`TokenError::UnknownKey`], [`TokenError::AlgorithmNotAllowed`] or [`TokenError::BadSignature`].
    pub fn verify(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
        verifier: &mut Verifier<'_>,
    ) -> Result<KeyFingerprint, TokenError> {
        let key_id = key_id.filter(|_| self.ids_matter);
        let mut bearing = self.keys.iter().filter(|key| key_id.is_none() || key.key_id.as_deref() == key_id).peekable();
        if bearing.peek().is_none() {
            return Err(TokenError::UnknownKey);
        }
        let mut fitting = bearing.filter(|key| key.algorithms.contains(algorithm)).peekable();
        if fitting.peek().is_none() {
            return Err(TokenError::AlgorithmNotAllowed);
        }
        fitting
            .take(MOST_TRIED)
            .find(|key| verifier.verify(&key.key, algorithm, message, signature))
            .map(|key| key.fingerprint)
            .ok_or(TokenError::BadSignature)
    }
}

impl KeyFingerprint {
    fn of(json: &Json) -> Self {
        let mut digest = Sha256::new();
        for name in ["kid", "alg", "kty", "crv", "n", "e", "x", "y", "k"] {
            let member = json.get(name).map(Json::to_string).unwrap_or_default();
            digest.update([name, ":", &member, "\n"].concat());
        }
        Self(digest.finalize().into())
    }
}

impl JwkErrorKind {
    fn of(self, member: &'static str) -> JwkError {
        JwkError { member: Some(member), kind: self }
    }

    fn of_key(self) -> JwkError {
        JwkError { member: None, kind: self }
    }
}

impl fmt::Display for JwkErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAnObject => "not an object",
            Self::Missing => "required",
            Self::NotAString => "not a string",
            Self::NotStrings => "not an array of strings",
            Self::NotBase64Url => "not base64url",
            Self::UnknownKeyType => "none of RSA, EC, OKP, oct",
            Self::UnknownCurve => "none of P-256, P-384, P-521 (EC) and Ed25519 (OKP)",
            Self::UnknownAlgorithm => "no signature algorithm that gatepost verifies",
            Self::AlgorithmMismatch => "no algorithm for a key of this type, curve and length",
            Self::DuplicateMember => "duplicate member",
            Self::TooMany => "not read: the set has too many keys",
            Self::NotForVerification => "the key is not for verifying signatures",
            Self::Key(error) => return error.fmt(f),
        })
    }
}

fn check_purpose(json: &Json) -> Result<(), JwkError> {
    if optional_text(json, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(JwkErrorKind::NotForVerification.of("use"));
    }
    match json.get("key_ops") {
        None => Ok(()),
        Some(Json::Array(operations)) => {
            if operations.iter().any(|operation| operation.as_str().is_none()) {
                return Err(JwkErrorKind::NotStrings.of("key_ops"));
            }
            let verifies = operations.iter().any(|operation| operation.as_str() == Some("verify"));
            verifies.then_some(()).ok_or(JwkErrorKind::NotForVerification.of("key_ops"))
        }
        Some(_) => Err(JwkErrorKind::NotStrings.of("key_ops")),
    }
}

fn optional_text<'a>(json: &'a Json, member: &'static str) -> Result<Option<&'a str>, JwkError> {
    match json.get(member) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(JwkErrorKind::NotAString.of(member)),
    }
}

fn text<'a>(json: &'a Json, member: &'static str) -> Result<&'a str, JwkError> {
    optional_text(json, member)?.ok_or(JwkErrorKind::Missing.of(member))
}

fn bytes(json: &Json, member: &'static str) -> Result<Vec<u8>, JwkError> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(text(json, member)?);
    decoded.map_err(|_| JwkErrorKind::NotBase64Url.of(member))
}

fn blamed_member(error: KeyError) -> Option<&'static str> {
    match error {
        KeyError::TooShort { .. } => Some("k"),
        KeyError::ModulusTooShort { .. } | KeyError::ModulusTooLong { .. } | KeyError::EvenModulus => Some("n"),
        KeyError::ExponentTooSmall { .. } | KeyError::ExponentTooLarge { .. } | KeyError::EvenExponent { .. } => {
            Some("e")
        }
        KeyError::Ed25519Length { .. } | KeyError::NotOnEdwards25519 | KeyError::SmallOrder => Some("x"),
        _ => None,
    }
}

/// A token without a key id is tried with this many keys at most, as it may be hostile.
const MOST_TRIED: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{host::NoHost, test::test};

    fn parse(json: &str) -> Result<Jwk, JwkError> {
        Jwk::parse(&Json::parse(json.as_bytes(), 8).unwrap())
    }

    fn oct(key: &[u8], members: &str) -> String {
        format!("{{\"kty\":\"oct\",\"k\":\"{}\"{members}}}", BASE64_URL_SAFE_NO_PAD.encode(key))
    }

    test!(the_algorithm_of_a_key_is_its_own, {
        let all = parse(&oct(&[7; 64], "")).unwrap().algorithms;
        assert_eq!(all, AlgorithmSet::of(&[Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512]));
        let one = parse(&oct(&[7; 64], ",\"alg\":\"HS384\"")).unwrap().algorithms;
        assert_eq!(one, AlgorithmSet::of(&[Algorithm::Hs384]));
        for (alg, kind) in [
            ("RS256", JwkErrorKind::AlgorithmMismatch),
            ("none", JwkErrorKind::UnknownAlgorithm),
            ("RSA-OAEP", JwkErrorKind::UnknownAlgorithm),
        ] {
            let refused = parse(&oct(&[7; 64], &format!(",\"alg\":\"{alg}\""))).map(|_| ());
            assert_eq!(refused, Err(kind.of("alg")));
        }
        let short = parse(&oct(&[7; 32], ",\"alg\":\"HS512\"")).map(|_| ());
        assert_eq!(short, Err(JwkErrorKind::AlgorithmMismatch.of("alg")));
    });

    test!(keys_that_are_not_for_verifying_are_refused, {
        for (members, member) in
            [(",\"use\":\"enc\"", "use"), (",\"key_ops\":[\"sign\"]", "key_ops"), (",\"key_ops\":[]", "key_ops")]
        {
            let refused = parse(&oct(&[7; 32], members)).map(|_| ());
            assert_eq!(refused, Err(JwkErrorKind::NotForVerification.of(member)));
        }
        assert!(parse(&oct(&[7; 32], ",\"use\":\"sig\",\"key_ops\":[\"sign\",\"verify\"],\"x5c\":[]")).is_ok());
    });

    test!(the_member_to_blame_is_named, {
        for (json, error) in [
            ("[]", JwkErrorKind::NotAnObject.of_key()),
            ("{}", JwkErrorKind::Missing.of("kty")),
            ("{\"kty\":\"RSA\"}", JwkErrorKind::Missing.of("n")),
            ("{\"kty\":\"RSA\",\"n\":\"*\"}", JwkErrorKind::NotBase64Url.of("n")),
            ("{\"kty\":\"RSA\",\"n\":\"AQ==\"}", JwkErrorKind::NotBase64Url.of("n")),
            ("{\"kty\":\"RSA\",\"n\":1}", JwkErrorKind::NotAString.of("n")),
            ("{\"kty\":\"EC\",\"crv\":\"P-192\"}", JwkErrorKind::UnknownCurve.of("crv")),
            ("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"\"}", JwkErrorKind::UnknownCurve.of("crv")),
            ("{\"kty\":\"AKP\"}", JwkErrorKind::UnknownKeyType.of("kty")),
        ] {
            assert_eq!(parse(json).map(|_| ()), Err(error), "{json}");
        }
        assert_eq!(parse("{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}").unwrap_err().member, Some("n"));
    });

    test!(a_key_id_picks_its_keys_and_no_others, {
        let verify = |set: &KeySet, key_id| {
            set.verify(key_id, Algorithm::Hs256, b"", &[0; 32], &mut Verifier::new(&mut NoHost, AlgorithmSet::EMPTY))
        };
        let named = parse(&oct(&[7; 32], ",\"kid\":\"\"")).unwrap();
        let set = KeySet::new(vec![named]);
        assert_eq!(verify(&set, Some("x")), Err(TokenError::UnknownKey));
        assert_eq!(verify(&set, Some("")), Err(TokenError::BadSignature));
        assert_eq!(verify(&set, None), Err(TokenError::BadSignature));
        let nameless = KeySet::new(vec![parse(&oct(&[7; 32], "")).unwrap()]);
        assert_eq!(verify(&nameless, Some("")), Err(TokenError::UnknownKey));
        let single = KeySet::single(VerificationKey::hmac(&[7; 32]).unwrap());
        assert_eq!(verify(&single, Some("x")), Err(TokenError::BadSignature));
        let foreign =
            single.verify(None, Algorithm::Rs256, b"", &[0; 256], &mut Verifier::new(&mut NoHost, AlgorithmSet::EMPTY));
        assert_eq!(foreign, Err(TokenError::AlgorithmNotAllowed));
    });

    test!(a_thumbprint_is_the_published_one_whatever_else_the_key_says, {
        // RFC 7638 §3.1, RFC 8037 appendix A.3, RFC 9449 §6.1.
        for (key, expected) in [
            (
                r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#,
                "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
            ),
            (
                r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
                "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            ),
            (
                r#"{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}"#,
                "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
            ),
        ] {
            let json = Json::parse(key.as_bytes(), 4).unwrap();
            assert_eq!(
                thumbprint(&json).map(|digest| BASE64_URL_SAFE_NO_PAD.encode(digest)).as_deref(),
                Some(expected)
            );
        }
        for key in [
            r#"{"kty":"oct","k":"AA"}"#,
            r#"{"kty":"EC","crv":"P-256","x":"AA"}"#,
            r#"{"kty":"RSA","n":1,"e":"AQAB"}"#,
            "[]",
        ] {
            assert_eq!(thumbprint(&Json::parse(key.as_bytes(), 4).unwrap()), None, "{key}");
        }
    });
}
