//! What a header that holds a token of gatepost's own must be: signed by a key, and saying this and nothing else.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::placeholder::{Placeholders, duration};
use crate::mint::PrivateKey;

/// A token, as a scenario describes it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ExpectedToken {
    /// The name of the key in `tests/keys` that has signed it.
    key: String,
    /// Every claim but `iat` and `exp`.
    claims: Value,
    /// `exp - iat`
    lifetime: Option<String>,
    /// `iat`
    issued: Option<String>,
    /// `exp`
    expires: Option<String>,
}

impl ExpectedToken {
    /// Whether a header's only value is that token, and else why not.
    pub(super) fn check(&self, actual: &[&[u8]], placeholders: &Placeholders<'_>) -> Result<(), String> {
        let [token] = actual else {
            return Err(format!("expected one token, there are {}", actual.len()));
        };
        let mut claims = self.verified_claims(token)?;
        let mut time = |name: &str| {
            let time = claims.remove(name).unwrap_or_default();
            time.as_u64().ok_or_else(|| format!("the token's {name} is {time}, no whole number"))
        };
        let (issued, expires) = (time("iat")?, time("exp")?);
        let wanted = placeholders.json(&self.claims)?;
        if Value::Object(claims.clone()) != wanted {
            return Err(format!("expected a token with {wanted}, its claims are {}", Value::Object(claims)));
        }
        for (name, wanted, actual) in [("iat", &self.issued, issued), ("exp", &self.expires, expires)] {
            if let Some(wanted) = wanted {
                let wanted = placeholders.json(&json!(wanted))?;
                if wanted != actual {
                    return Err(format!("expected a token whose {name} is {wanted}, it is {actual}"));
                }
            }
        }
        if let Some(lifetime) = &self.lifetime
            && expires.checked_sub(issued) != Some(duration(lifetime)?.as_secs())
        {
            return Err(format!("expected a token that is good for {lifetime}, it is from {issued} to {expires}"));
        }
        if expires <= issued { Err(format!("the token is from {issued} to {expires}")) } else { Ok(()) }
    }

    /// The claims of a token whose signature and header are right (RFC 7515 §5.2).
    fn verified_claims(&self, token: &[u8]) -> Result<Map<String, Value>, String> {
        let key = PrivateKey::named(&self.key).map_err(|error| error.to_string())?;
        let token = std::str::from_utf8(token).map_err(|error| error.to_string())?;
        let [header, payload, signature] = token
            .split('.')
            .collect::<Vec<_>>()
            .try_into()
            .map_err(|parts: Vec<_>| format!("expected a token, there are {} parts", parts.len()))?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|error| format!("a token's part: {error}"));
        let parse = |bytes: Vec<u8>| serde_json::from_slice::<Map<String, Value>>(&bytes).map_err(|e| e.to_string());
        let algorithm = key.default_algorithm();
        if !key.verifies(algorithm, format!("{header}.{payload}").as_bytes(), &decode(signature)?) {
            return Err(format!("the token's signature is not {algorithm} by {}", self.key));
        }
        let mut wanted = json!({"alg": algorithm.name(), "typ": "gatepost+jwt"});
        if let Some(thumbprint) = key.thumbprint() {
            wanted["kid"] = json!(thumbprint);
        }
        let header = Value::Object(parse(decode(header)?)?);
        if header != wanted {
            return Err(format!("expected a token with the header {wanted}, it is {header}"));
        }
        parse(decode(payload)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::mint::{TokenSpec, mint};

    fn check(expected: Value, spec: Value) -> Result<(), String> {
        let mut spec: TokenSpec = serde_json::from_value(spec).unwrap();
        let key = PrivateKey::named(&spec.key).unwrap();
        let mut header = json!({"typ": "gatepost+jwt", "kid": key.thumbprint()});
        json_patch::merge(&mut header, &spec.header);
        spec.header = header;
        let token = mint(&spec, 100).unwrap();
        let expected: ExpectedToken = serde_json::from_value(expected).unwrap();
        expected.check(&[token.as_bytes()], &Placeholders::new("a_name", &BTreeMap::new(), 100))
    }

    #[test]
    fn a_token_is_what_is_expected_or_it_is_told_what_differs() {
        for key in ["es1", "ed1", "hs1"] {
            let claims = json!({"sub": "u", "iat": "@now", "exp": "@now+30s"});
            let expected =
                json!({"key": key, "claims": {"sub": "u"}, "lifetime": "30s", "issued": "@now", "expires": "@now+30s"});
            assert_eq!(check(expected.clone(), json!({"key": key, "claims": claims})), Ok(()), "{key}");
            for (patch, part) in [
                (json!({"key": "es2"}), "signature"),
                (json!({"claims": {"sub": "v"}}), "expected a token with"),
                (json!({"claims": {"sub": null}}), "expected a token with"),
                (json!({"lifetime": "29s"}), "good for 29s"),
                (json!({"issued": "@now+1s"}), "iat"),
                (json!({"expires": "@now"}), "exp"),
            ] {
                let mut expected = expected.clone();
                json_patch::merge(&mut expected, &patch);
                let difference = check(expected, json!({"key": key, "claims": claims})).unwrap_err();
                assert!(difference.contains(part), "{patch}: {difference}");
            }
            for (spec, part) in [
                (json!({"header": {"typ": "JWT"}}), "header"),
                (json!({"header": {"kid": "other"}}), "header"),
                (json!({"header": {"more": 1}}), "header"),
                (json!({"tamper": {"flip_signature_bit": 0}}), "signature"),
                (json!({"claims": {"sub": "u", "iat": "@now"}}), "exp"),
            ] {
                let mut whole = json!({"key": key, "claims": claims});
                json_patch::merge(&mut whole, &spec);
                if part == "exp" {
                    whole["claims"] = spec["claims"].clone();
                }
                let difference = check(expected.clone(), whole).unwrap_err();
                assert!(difference.contains(part), "{spec}: {difference}");
            }
        }
    }
}
