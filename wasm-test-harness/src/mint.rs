//! Mints test tokens: honest ones, and every kind of dishonest one.
//!
//! A [`TokenSpec`] is data, so that scenarios can say in YAML which token they need:
//!
//! ```
//! use wasm_test_harness::mint::{TokenSpec, mint};
//!
//! let honest: TokenSpec = serde_json::from_str(r#"{"key": "es1", "claims": {"sub": "user-1", "exp": "@now+5m"}}"#)?;
//! // CVE-2015-9235: the public key, which everybody has, used as an HMAC secret.
//! let forged: TokenSpec = serde_json::from_str(r#"{"key": "rs1", "header": {"alg": "HS256"}, "sign_as": "HS256"}"#)?;
//! assert_eq!(mint(&honest, 1_750_000_000)?.split('.').count(), 3);
//! assert_eq!(mint(&forged, 1_750_000_000)?.split('.').count(), 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! It shares no code with the filter on purpose: what the filter misreads, this must not misread in the same way.

mod keys;
mod sign;
mod tamper;
mod time;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

pub use keys::{FIXTURE_NAMES, PrivateKey};
pub use sign::{SecretForm, SignatureAlgorithm};
pub use tamper::{Part, Tamper};

/// What a token shall be. Everything but the defaults is exactly what it says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenSpec {
    /// The name of a key in `tests/keys`.
    pub key: String,
    /// Merged (RFC 7396: `null` removes) into `{"alg": <the key's>, "typ": "JWT", "kid": <its name>}`.
    pub header: Value,
    /// The payload. Strings such as `@now`, `@now+5m`, `@now-61s` become Unix times, at any depth. Left out altogether:
    /// issuer `https://idp.example.com`, audience `api`, subject `user-1`, issued now, good for five minutes.
    pub claims: Value,
    /// The algorithm that really signs, where the header's `alg` is a lie. `none` signs nothing. By default the header's,
    /// or the key's own where the header's `alg` names no algorithm at all.
    pub sign_as: Option<String>,
    /// Which bytes are the secret when an HMAC algorithm signs with an asymmetric key.
    pub secret: SecretForm,
    /// What is done to the token that its key holder would not do.
    pub tamper: Option<Tamper>,
    /// The header's exact text, instead of `header` (duplicate members, white space, not JSON at all).
    pub raw_header: Option<String>,
    /// The payload's exact text, instead of `claims`.
    pub raw_payload: Option<String>,
    /// Makes it a DPoP proof (RFC 9449 §4.2) of the other members.
    pub proof: Option<ProofSpec>,
}

/// What a DPoP proof shall be.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProofSpec {
    /// The name of the token that it goes with; none is as if that were empty.
    pub of: String,
    /// The key in the header, where it is not the one that signs.
    pub key: Option<String>,
    /// Merged (RFC 7396) into that key as a JWK.
    pub jwk: Value,
    /// Merged (RFC 7396) into `{"jti": <a name of its own>, "htm": "GET", "htu": "http://gateway.example.com/orders/7",
    /// "iat": "@now", "ath": <the token's>}`.
    pub claims: Value,
}

impl TokenSpec {
    /// The token that a proof is, for the access token that it goes with.
    ///
    /// # Errors
    ///
    /// [`MintError::UnknownKey`].
    pub fn of_proof(mut self, id: &str, token: &str) -> Result<Self, MintError> {
        let Some(proof) = self.proof.take() else {
            return Ok(self);
        };
        let mut jwk = PrivateKey::named(proof.key.as_deref().unwrap_or(&self.key))?.jwk(None, None);
        if proof.jwk.is_object() {
            json_patch::merge(&mut jwk, &proof.jwk);
        }
        // What is null here stays null: it removes a default of every header.
        let mut header = json!({"typ": "dpop+jwt", "kid": null, "jwk": jwk});
        if let (Some(header), Some(given)) = (header.as_object_mut(), self.header.as_object()) {
            header.extend(given.clone());
        }
        self.header = header;
        let ath = URL_SAFE_NO_PAD.encode(Sha256::digest(token));
        let htu = "http://gateway.example.com/orders/7";
        self.claims = json!({"jti": id, "htm": "GET", "htu": htu, "iat": "@now", "ath": ath});
        if proof.claims.is_object() {
            json_patch::merge(&mut self.claims, &proof.claims);
        }
        Ok(self)
    }
}

impl Default for TokenSpec {
    fn default() -> Self {
        Self {
            key: "es1".to_owned(),
            header: json!({}),
            claims: json!({
                "iss": "https://idp.example.com",
                "aud": "api",
                "sub": "user-1",
                "iat": "@now",
                "exp": "@now+5m",
            }),
            sign_as: None,
            secret: SecretForm::default(),
            tamper: None,
            raw_header: None,
            raw_payload: None,
            proof: None,
        }
    }
}

/// Why a token could not be minted. Names what was asked for, never key material.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MintError {
    /// No key of that name.
    #[error("no test key is called `{name}`; there are {}", FIXTURE_NAMES.join(", "))]
    UnknownKey {
        /// The name asked for.
        name: String,
    },
    /// Not one of the thirteen algorithms, nor `none`.
    #[error("`{name}` is not a JWS algorithm (HS, RS, PS, ES with 256, 384 or 512; EdDSA; none)")]
    UnknownAlgorithm {
        /// The name asked for.
        name: String,
    },
    /// The key is of another kind than the algorithm.
    #[error("a key of the kind {kind} cannot sign {algorithm}; give `sign_as` if the header's `alg` is to be a lie")]
    WrongKind {
        /// The key's kind.
        kind: &'static str,
        /// The algorithm.
        algorithm: SignatureAlgorithm,
    },
    /// The primitive refused: a modulus too small for the hash and salt, a hash too short for the curve.
    #[error("a key of the kind {kind} is too small or too large for {algorithm}")]
    Refused {
        /// The key's kind.
        kind: &'static str,
        /// The algorithm.
        algorithm: SignatureAlgorithm,
    },
    /// A key file that is no PKCS#8 private key of a supported kind.
    #[error(
        "not an unencrypted PKCS#8 private key (RSA, P-256, P-384, P-521 or Ed25519); convert it with `openssl pkcs8 -topk8 -nocrypt`"
    )]
    UnreadableKey,
    /// A shared secret has no public half.
    #[error("a shared secret has no public key")]
    NoPublicKey,
    /// Only shared secrets are secrets.
    #[error("`{name}` is no shared secret; hs1, hs2 and hs48 are")]
    NotASecret {
        /// The name asked for.
        name: String,
    },
    /// A string that begins with `@now` and does not go on with an offset.
    #[error("`{text}` is no time; write `@now`, `@now+5m` or `@now-61s`")]
    BadTime {
        /// The text.
        text: String,
    },
    /// Header or claims that are not a JSON object.
    #[error("`{what}` must be a JSON object")]
    NotAnObject {
        /// Which of the two.
        what: &'static str,
    },
    /// The tampering does not apply to this token.
    #[error("`{tamper}` does not apply: {why}")]
    NotApplicable {
        /// The variant's name.
        tamper: &'static str,
        /// What it would need.
        why: &'static str,
    },
}

/// Mints the token of `spec` with a key of `tests/keys`, at `now` (Unix seconds).
///
/// # Errors
///
/// [`MintError`] says what of the specification cannot be.
pub fn mint(spec: &TokenSpec, now: u64) -> Result<String, MintError> {
    mint_with(&PrivateKey::named(&spec.key)?, spec, now)
}

/// Mints the token of `spec` with a key of the caller's; `spec.key` is the default `kid` (none where it is empty).
///
/// # Errors
///
/// As [`mint`].
pub fn mint_with(key: &PrivateKey, spec: &TokenSpec, now: u64) -> Result<String, MintError> {
    let header = header(key, spec)?;
    let signer = signer(key, spec, &header)?;
    let mut header_text = match &spec.raw_header {
        Some(raw) => encode(raw),
        None => encode(&header.to_string()),
    };
    let mut payload_text = match &spec.raw_payload {
        Some(raw) => encode(raw),
        None => encode(&payload(&spec.claims, now)?.to_string()),
    };
    let tamper = spec.tamper.as_ref();
    if let Some(tamper) = tamper {
        tamper.before_signing(&mut header_text, &mut payload_text)?;
    }

    let message = format!("{header_text}.{payload_text}");
    let mut signature = match signer {
        None => Vec::new(),
        Some(algorithm) => {
            let salt = tamper.and_then(Tamper::pss_salt_length);
            sign::sign(key, algorithm, message.as_bytes(), spec.secret, salt)?
        }
    };
    if let Some(tamper) = tamper {
        tamper.signature(key, &mut signature)?;
    }

    let mut parts = vec![header_text, payload_text, URL_SAFE_NO_PAD.encode(&signature)];
    if let Some(tamper) = tamper {
        tamper.after_signing(&mut parts, now)?;
    }
    Ok(parts.join("."))
}

/// A copy of `value` in which strings such as `@now`, `@now+5m`, `@now-61s` are Unix times, at any depth.
///
/// # Errors
///
/// [`MintError::BadTime`].
pub fn resolve_times(value: &Value, now: u64) -> Result<Value, MintError> {
    time::resolve(value, now)
}

/// The public JWK set of some keys of `tests/keys`; `kid` is the key's name. `alg` is left out unless it is asked for:
/// `rs1` has none, `rs1:RS256` has that one. A shared secret gives an `oct` key, which is public in tests only.
///
/// # Errors
///
/// [`MintError::UnknownKey`].
pub fn jwks<S: AsRef<str>>(names: &[S]) -> Result<Value, MintError> {
    let keys = names
        .iter()
        .map(|entry| {
            let (name, algorithm) = match entry.as_ref().split_once(':') {
                Some((name, algorithm)) => (name, Some(algorithm)),
                None => (entry.as_ref(), None),
            };
            Ok(PrivateKey::named(name)?.jwk(Some(name), algorithm))
        })
        .collect::<Result<Vec<_>, MintError>>()?;
    Ok(json!({ "keys": keys }))
}

/// The public half of a key of `tests/keys`, as SPKI PEM.
///
/// # Errors
///
/// [`MintError::UnknownKey`], and [`MintError::NoPublicKey`] for a shared secret.
pub fn public_pem(name: &str) -> Result<String, MintError> {
    PrivateKey::named(name)?.public_pem()
}

/// The private half of a key of `tests/keys`, as PKCS#8 PEM; a shared secret as it is.
///
/// # Errors
///
/// [`MintError::UnknownKey`].
pub fn private_text(name: &str) -> Result<String, MintError> {
    PrivateKey::named(name)?.private_text()
}

/// A shared secret of `tests/keys`.
///
/// # Errors
///
/// [`MintError::UnknownKey`], and [`MintError::NotASecret`] for a key pair.
pub fn secret(name: &str) -> Result<String, MintError> {
    match PrivateKey::named(name)? {
        PrivateKey::Secret(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        _ => Err(MintError::NotASecret { name: name.to_owned() }),
    }
}

fn header(key: &PrivateKey, spec: &TokenSpec) -> Result<Value, MintError> {
    let mut header = json!({"alg": key.default_algorithm().name(), "typ": "JWT"});
    if !spec.key.is_empty() {
        header["kid"] = json!(spec.key);
    }
    if !spec.header.is_object() {
        return Err(MintError::NotAnObject { what: "header" });
    }
    json_patch::merge(&mut header, &spec.header);
    Ok(header)
}

fn payload(claims: &Value, now: u64) -> Result<Value, MintError> {
    if !claims.is_object() {
        return Err(MintError::NotAnObject { what: "claims" });
    }
    time::resolve(claims, now)
}

/// Which algorithm really signs; `None` leaves the signature empty.
fn signer(key: &PrivateKey, spec: &TokenSpec, header: &Value) -> Result<Option<SignatureAlgorithm>, MintError> {
    if let Some(name) = &spec.sign_as {
        return match name.as_str() {
            "none" => Ok(None),
            name => name.parse().map(Some),
        };
    }
    // With a raw header nobody parses it here: the key's own algorithm signs.
    let claimed = match &spec.raw_header {
        Some(_) => "",
        None => header["alg"].as_str().unwrap_or(""),
    };
    if claimed.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    match claimed.parse() {
        Ok(algorithm) if key.signs(algorithm) => Ok(Some(algorithm)),
        Ok(algorithm) => Err(MintError::WrongKind { kind: key.kind(), algorithm }),
        Err(_) => Ok(Some(key.default_algorithm())),
    }
}

fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_750_000_000;

    fn spec(text: &str) -> TokenSpec {
        serde_json::from_str(text).unwrap()
    }

    fn parts(token: &str) -> Vec<String> {
        token
            .split('.')
            .map(|part| String::from_utf8_lossy(&URL_SAFE_NO_PAD.decode(part).unwrap_or_default()).into_owned())
            .collect()
    }

    #[test]
    fn every_key_and_algorithm_signs() {
        for (key, algorithms) in [
            ("hs1", &["HS256"][..]),
            ("hs2", &["HS256", "HS384", "HS512"]),
            ("hs48", &["HS256", "HS384"]),
            ("rs1", &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]),
            ("rs2", &["RS256"]),
            ("rs3072", &["PS512"]),
            ("weak1024", &["RS256", "PS256"]),
            ("es1", &["ES256"]),
            ("es2", &["ES256"]),
            ("es384", &["ES384"]),
            ("es512", &["ES512"]),
            ("ed1", &["EdDSA", "Ed25519"]),
            ("ed2", &["EdDSA"]),
        ] {
            for algorithm in algorithms {
                let spec = TokenSpec { key: key.to_owned(), header: json!({"alg": algorithm}), ..TokenSpec::default() };
                let token = mint(&spec, NOW).unwrap();
                let header: Value = serde_json::from_str(&parts(&token)[0]).unwrap();
                assert_eq!(header, json!({"alg": algorithm, "typ": "JWT", "kid": key}));
            }
        }
    }

    #[test]
    fn times_in_claims_are_relative_to_now() {
        let token = mint(
            &spec(r#"{"claims": {"exp": "@now+5m", "nbf": "@now-61s", "iat": "@now", "deep": [{"at": "@now+1h"}]}}"#),
            NOW,
        )
        .unwrap();
        let claims: Value = serde_json::from_str(&parts(&token)[1]).unwrap();
        assert_eq!(claims, json!({"exp": NOW + 300, "nbf": NOW - 61, "iat": NOW, "deep": [{"at": NOW + 3600}]}));
        let error = mint(&spec(r#"{"claims": {"exp": "@nowish"}}"#), NOW).unwrap_err();
        assert_eq!(error, MintError::BadTime { text: "@nowish".to_owned() });
    }

    #[test]
    fn null_removes_a_header_member() {
        let token = mint(&spec(r#"{"key": "ed1", "header": {"typ": null, "kid": null}}"#), NOW).unwrap();
        assert_eq!(parts(&token)[0], r#"{"alg":"EdDSA"}"#);
    }

    #[test]
    fn alg_none_has_an_empty_signature() {
        let token = mint(&spec(r#"{"key": "rs1", "header": {"alg": "nOnE"}}"#), NOW).unwrap();
        assert!(token.ends_with('.'));
        assert_eq!(token.split('.').count(), 3);
    }

    #[test]
    fn a_lying_header_must_be_meant() {
        let error = mint(&spec(r#"{"key": "rs1", "header": {"alg": "HS256"}}"#), NOW).unwrap_err();
        assert!(matches!(error, MintError::WrongKind { .. }), "{error}");
        let forged = mint(&spec(r#"{"key": "rs1", "header": {"alg": "HS256"}, "sign_as": "HS256"}"#), NOW).unwrap();
        let relabelled = mint(&spec(r#"{"key": "rs1", "header": {"alg": "PS256"}, "sign_as": "RS256"}"#), NOW).unwrap();
        assert_eq!(forged.rsplit('.').next().unwrap().len(), 43);
        assert_eq!(relabelled.rsplit('.').next().unwrap().len(), 342);
    }

    #[test]
    fn raw_text_stays_as_it_is() {
        let token =
            mint(&spec(r#"{"raw_header": "{\"alg\":\"ES256\",\"alg\":\"none\"}", "raw_payload": "[1"}"#), NOW).unwrap();
        assert_eq!(parts(&token)[..2], [r#"{"alg":"ES256","alg":"none"}"#, "[1"]);
    }

    #[test]
    fn the_key_set_holds_no_private_member() {
        let set = jwks(&["rs1:RS256", "es1", "es384", "es512", "ed1"]).unwrap();
        for key in set["keys"].as_array().unwrap() {
            for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert!(key.get(private).is_none(), "{private}");
            }
        }
        assert_eq!(set["keys"][0]["alg"], "RS256");
        assert!(set["keys"][1].get("alg").is_none());
        assert_eq!(set["keys"][3]["x"].as_str().unwrap().len(), 88);
        assert!(public_pem("es512").unwrap().starts_with("-----BEGIN PUBLIC KEY-----"));
        assert_eq!(secret("hs48").unwrap().len(), 48);
    }
}
