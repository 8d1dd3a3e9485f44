//! What providers answer: key sets (RFC 7517 §5) and discovery documents (OpenID Connect Discovery 1.0 §4).

use super::{MAX_ANSWER_DEPTH, ProviderFailure, endpoint::Endpoint};
use crate::{
    jose::jwk::{Jwk, JwkErrorKind, KeySet},
    json::Json,
};

/// A key set as it was read.
#[derive(Debug)]
pub struct KeyDocument {
    /// The keys that are used.
    pub keys: KeySet,
    /// The others: where they stand, and why they are not.
    pub refused: Vec<(String, JwkErrorKind)>,
}

/// Reads a key set. One good key is enough.
///
/// # Errors
///
/// [`ProviderFailure::NotAKeySet`], or [`ProviderFailure::NoUsableKey`].
pub fn read_key_set(body: &[u8]) -> Result<KeyDocument, ProviderFailure> {
    let json = Json::parse(body, MAX_ANSWER_DEPTH).map_err(|_| ProviderFailure::NotAnObject)?;
    let keys = match (json.get_unique("keys"), &json) {
        (Some(Json::Array(keys)), _) => keys,
        (_, Json::Object(_)) => return Err(ProviderFailure::NotAKeySet),
        _ => return Err(ProviderFailure::NotAnObject),
    };
    let mut good = Vec::new();
    let mut refused = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        if index >= MOST_KEYS {
            refused.push((format!("keys[{index}]"), JwkErrorKind::TooMany));
            continue;
        }
        match Jwk::parse(key) {
            Ok(_) if key.has_duplicates() => refused.push((format!("keys[{index}]"), JwkErrorKind::DuplicateMember)),
            Ok(key) => good.push(key),
            Err(error) => {
                let member = error.member.map(|member| format!(".{member}")).unwrap_or_default();
                refused.push((format!("keys[{index}]{member}"), error.kind));
            }
        }
    }
    if good.is_empty() {
        return Err(ProviderFailure::NoUsableKey { first: refused.into_iter().next() });
    }
    Ok(KeyDocument { keys: KeySet::new(good), refused })
}

/// Reads a discovery document and tells where the keys are: through the issuer's cluster, or through `jwks_cluster` where
/// they are on another host.
///
/// # Errors
///
/// [`ProviderFailure::WrongIssuer`] (§4.3), [`ProviderFailure::NoJwksUri`] or [`ProviderFailure::OtherHost`].
pub fn read_discovery(
    body: &[u8],
    issuer: &str,
    document: &Endpoint,
    jwks_cluster: Option<&str>,
) -> Result<Endpoint, ProviderFailure> {
    let json = Json::parse_strict_object(body, MAX_ANSWER_DEPTH).ok_or(ProviderFailure::NotAnObject)?;
    if json.get("issuer").and_then(Json::as_str) != Some(issuer) {
        return Err(ProviderFailure::WrongIssuer);
    }
    let url = json.get("jwks_uri").and_then(Json::as_str).ok_or(ProviderFailure::NoJwksUri)?;
    let keys = Endpoint::parse(url, &document.cluster).ok_or(ProviderFailure::NoJwksUri)?;
    if keys.is_same_host(document) {
        return Ok(keys);
    }
    let cluster = jwks_cluster.ok_or(ProviderFailure::OtherHost)?.to_owned();
    Ok(Endpoint { cluster, ..keys })
}

/// More keys than any provider has. Each takes time to read, for which no request is decided; those beyond are not read.
const MOST_KEYS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::test;

    const GOOD: &str = r#"{"kty":"oct","k":"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE","kid":"a"}"#;

    fn refused(keys: &str) -> Vec<String> {
        let document = read_key_set(format!("{{\"keys\":[{keys}]}}").as_bytes()).unwrap();
        document.refused.into_iter().map(|(member, kind)| format!("{member}: {kind}")).collect()
    }

    test!(one_good_key_is_enough, {
        assert_eq!(refused(GOOD), Vec::<String>::new());
        let short = r#"{"kty":"oct","k":"MDEy"}"#;
        let twice = GOOD.replace("\"kid\"", "\"x\":1,\"x\":2,\"kid\"");
        let keys = format!("{short},{GOOD},7,{twice},{{\"kty\":\"EC\"}}");
        let expected = ["keys[0].k: ", "keys[2]: not an object", "keys[3]: duplicate member", "keys[4].crv: required"];
        let actual = refused(&keys);
        assert!(actual.len() == 4 && actual.iter().zip(expected).all(|(a, e)| a.starts_with(e)), "{actual:?}");
    });

    test!(what_is_no_key_set_is_refused, {
        let failure = |text: &str| read_key_set(text.as_bytes()).unwrap_err();
        for text in ["", "<html>", "[]", "7", "{\"keys\":[", "\u{feff}{}"] {
            assert_eq!(failure(text), ProviderFailure::NotAnObject, "{text}");
        }
        for text in ["{}", "{\"keys\":{}}", "{\"keys\":[],\"keys\":[]}"] {
            assert_eq!(failure(text), ProviderFailure::NotAKeySet, "{text}");
        }
        assert_eq!(failure("{\"keys\":[]}"), ProviderFailure::NoUsableKey { first: None });
        let first = Some(("keys[0].kty".to_owned(), JwkErrorKind::Missing));
        assert_eq!(failure("{\"keys\":[{},{\"kty\":\"x\"}]}"), ProviderFailure::NoUsableKey { first });
        let first = Some(("keys[0]".to_owned(), JwkErrorKind::NotAnObject));
        assert_eq!(failure("{\"keys\":[null]}"), ProviderFailure::NoUsableKey { first });
    });

    test!(a_bounded_number_of_keys_is_read, {
        let many = vec![GOOD; MOST_KEYS + 2].join(",");
        let document = read_key_set(format!("{{\"keys\":[{many}]}}").as_bytes()).unwrap();
        let beyond = |index| (format!("keys[{index}]"), JwkErrorKind::TooMany);
        assert_eq!((document.keys.len(), document.refused), (1000, vec![beyond(1000), beyond(1001)]));
    });

    test!(discovery_names_the_keys_of_its_own_issuer, {
        let document = Endpoint::parse("https://idp.example.com/.well-known/openid-configuration", "idp").unwrap();
        let read = |text: &str, cluster| read_discovery(text.as_bytes(), "https://idp.example.com", &document, cluster);
        let text = |issuer: &str, uri: &str| format!("{{\"issuer\":\"{issuer}\",\"jwks_uri\":\"{uri}\"}}");
        let own = text("https://idp.example.com", "https://IDP.example.com:443/jwks?x=1");
        let keys = read(&own, None).unwrap();
        assert_eq!((keys.cluster.as_str(), keys.path.as_str()), ("idp", "/jwks?x=1"));
        assert_eq!(read(&own, Some("keys")).unwrap().cluster, "idp");
        let other = text("https://idp.example.com", "https://keys.example.com/jwks");
        assert_eq!(read(&other, None), Err(ProviderFailure::OtherHost));
        let keys = read(&other, Some("keys")).unwrap();
        assert_eq!((keys.cluster.as_str(), keys.authority.as_str()), ("keys", "keys.example.com"));
        let downgraded = text("https://idp.example.com", "http://idp.example.com/jwks");
        assert_eq!(read(&downgraded, None), Err(ProviderFailure::OtherHost));
        for issuer in ["https://idp.example.com/", "https://IDP.example.com", "https://evil.example.com", ""] {
            assert_eq!(read(&text(issuer, "https://idp.example.com/jwks"), None), Err(ProviderFailure::WrongIssuer));
        }
        assert_eq!(read("{\"issuer\":\"https://idp.example.com\"}", None), Err(ProviderFailure::NoJwksUri));
        let file = text("https://idp.example.com", "file:///etc/passwd");
        assert_eq!(read(&file, Some("keys")), Err(ProviderFailure::NoJwksUri));
        assert_eq!(read("[]", None), Err(ProviderFailure::NotAnObject));
    });
}
