use super::*;
use crate::{crypto::AlgorithmSet, host::NoHost, test::test};

/// The proof, the token and the key of RFC 9449 §7.1, figure 13, and §6.1, figure 8.
const EXAMPLE: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
const ISSUED: u64 = 1_562_262_618;

/// What the example's request is, changed.
fn verify(text: &str, change: impl Fn(&mut Statement<'_>)) -> Result<Proof, ProofError> {
    let key: [u8; 32] = BASE64_URL_SAFE_NO_PAD.decode(JKT).unwrap().try_into().unwrap();
    let path = NormalPath::new(b"/protectedresource", PathPolicy::Strict).unwrap();
    let origin = Origin::parse("https://resource.example.org").unwrap();
    let mut statement = Statement {
        key: &key,
        token: TOKEN,
        method: "GET",
        origin: Some(&origin),
        path: &path,
        path_policy: PathPolicy::Strict,
        now: UnixTime::from_secs(ISSUED),
    };
    change(&mut statement);
    Proof::verify(text, &statement, &mut Verifier::new(&mut NoHost, AlgorithmSet::EMPTY))
}

test!(the_published_example_is_good, {
    let proof = verify(EXAMPLE, |_| ()).unwrap();
    assert_eq!(proof, Proof { id: "e1j3V_bKic8-LAEB".to_owned(), until: UnixTime::from_secs(ISSUED + 60) });
});

test!(the_published_example_is_good_for_nothing_else, {
    assert_eq!(verify(EXAMPLE, |statement| statement.method = "POST"), Err(ProofError::WrongMethod));
    assert_eq!(verify(EXAMPLE, |statement| statement.method = "get"), Err(ProofError::WrongMethod));
    assert_eq!(verify(EXAMPLE, |statement| statement.token = "other"), Err(ProofError::WrongToken));
    assert_eq!(verify(EXAMPLE, |statement| statement.origin = None), Err(ProofError::WrongTarget));
    assert_eq!(verify(EXAMPLE, |statement| statement.key = &[0; 32]), Err(ProofError::WrongKey));
});

test!(the_published_example_is_good_for_a_minute_either_way, {
    let at = |nanos: u64| verify(EXAMPLE, |statement| statement.now = UnixTime::from_nanos(nanos)).map(|_| ());
    let second = 1_000_000_000;
    let issued = ISSUED * second;
    for good in [issued - 60 * second, issued, issued + 60 * second] {
        assert_eq!(at(good), Ok(()));
    }
    for bad in [0, issued - 60 * second - 1000, issued + 60 * second + 1, issued + 61 * second, u64::MAX] {
        assert_eq!(at(bad), Err(ProofError::WrongTime), "{bad}");
    }
});

test!(a_changed_proof_is_not_good, {
    let parts: Vec<&str> = EXAMPLE.split('.').collect();
    let decode = |part: &str| String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let with = |header: &str, payload: &str| {
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        verify(&format!("{}.{}.{}", encode(header), encode(payload), parts[2]), |_| ()).unwrap_err()
    };
    let (header, payload) = (decode(parts[0]), decode(parts[1]));
    for (from, to, error) in [
        ("dpop+jwt", "application/DPoP+JWT", ProofError::BadSignature),
        ("dpop+jwt", "jwt", ProofError::WrongType),
        ("dpop+jwt", "", ProofError::WrongType),
        (r#""typ":"dpop+jwt","#, "", ProofError::WrongType),
        ("ES256", "HS256", ProofError::AlgorithmNotAllowed),
        ("ES256", "none", ProofError::AlgorithmNotAllowed),
        ("ES256", "ES256K", ProofError::AlgorithmNotAllowed),
        ("ES256", "ES384", ProofError::AlgorithmNotAllowed),
        ("ES256", "RS256", ProofError::AlgorithmNotAllowed),
        (r#""kty":"EC","#, r#""kty":"EC","d":"AA","#, ProofError::BadKey),
        (r#""kty":"EC","#, r#""kty":"EC","k":"","#, ProofError::BadKey),
        (r#""kty":"EC","#, r#""kty":"EC","use":"enc","#, ProofError::BadKey),
        (r#""kty":"EC","#, r#""kty":"EC","key_ops":["sign"],"#, ProofError::BadKey),
        (r#""kty":"EC","#, r#""kty":"EC","alg":"ES384","#, ProofError::BadKey),
        (r#""kty":"EC","#, r#""kty":"oct","#, ProofError::BadKey),
        (r#""kty":"EC","#, "", ProofError::BadKey),
        (r#""crv":"P-256""#, r#""crv":"P-384""#, ProofError::WrongKey),
        ("l8tF", "l8tG", ProofError::WrongKey),
        (r#""jwk""#, r#""jwk2""#, ProofError::BadKey),
        (r#""jwk""#, r#""crit":["jwk"],"jwk""#, ProofError::Malformed),
        (r#""jwk""#, r#""jwk":{},"jwk""#, ProofError::Malformed),
    ] {
        assert!(header.contains(from), "{from}");
        assert_eq!(with(&header.replacen(from, to, 1), &payload), error, "{from} -> {to}");
    }
    assert_eq!(with(&header, &payload.replace("GET", "PUT")), ProofError::BadSignature);
    for text in
        ["", "a.b.c", &EXAMPLE[1..], &format!("{EXAMPLE}="), &format!("{EXAMPLE}, {EXAMPLE}"), &format!(" {EXAMPLE}")]
    {
        assert_eq!(verify(text, |_| ()), Err(ProofError::Malformed), "{text}");
    }
});

test!(every_claim_is_needed_and_of_its_type, {
    let check = |claims: &str| {
        let path = NormalPath::new(b"/a", PathPolicy::Strict).unwrap();
        let origin = Origin::parse("https://h").unwrap();
        let (now, path_policy) = (UnixTime::from_secs(1000), PathPolicy::Strict);
        let statement = Statement {
            key: &[0; 32],
            token: "t",
            method: "GET",
            origin: Some(&origin),
            path: &path,
            path_policy,
            now,
        };
        Proof::check(&Json::parse(claims.as_bytes(), 8).unwrap(), &statement)
    };
    let ath = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest("t"));
    let good = format!(r#"{{"jti":"j","htm":"GET","htu":"https://h/a","iat":1000,"ath":"{ath}","nonce":"n"}}"#);
    assert_eq!(check(&good), Ok(Proof { id: "j".to_owned(), until: UnixTime::from_secs(1060) }));
    let ath = format!(r#""ath":"{ath}""#);
    for (from, to, error) in [
        (r#""jti":"j","#, "", ProofError::MissingClaim),
        (r#""htm":"GET","#, "", ProofError::MissingClaim),
        (r#""htu":"https://h/a","#, "", ProofError::MissingClaim),
        (r#""iat":1000,"#, "", ProofError::MissingClaim),
        (ath.as_str(), r#""x":1"#, ProofError::MissingClaim),
        (r#""j""#, "1", ProofError::Malformed),
        (r#""j""#, r#""""#, ProofError::Malformed),
        (r#""GET""#, r#"["GET"]"#, ProofError::Malformed),
        (r#""https://h/a""#, "null", ProofError::Malformed),
        ("1000", r#""1000""#, ProofError::Malformed),
        ("1000", "1e300", ProofError::Malformed),
        ("1000", "-1e15", ProofError::WrongTime),
        ("1000", "939.9", ProofError::WrongTime),
        ("1000", "1060.1", ProofError::WrongTime),
        ("1000", r#"1000,"exp":940"#, ProofError::WrongTime),
        ("1000", r#"1000,"exp":"x""#, ProofError::Malformed),
        ("1000", r#"1000,"nbf":1061"#, ProofError::WrongTime),
        (ath.as_str(), r#""ath":"""#, ProofError::WrongToken),
        (ath.as_str(), r#""ath":1"#, ProofError::Malformed),
    ] {
        assert!(good.contains(from), "{from}");
        assert_eq!(check(&good.replacen(from, to, 1)), Err(error), "{from} -> {to}");
    }
    for good in [good.replace("1000", "940"), good.replace("1000", "1060"), good.replace("1000", "1000.25")] {
        assert!(check(&good).is_ok(), "{good}");
    }
    let long = |length: usize| good.replace(r#""j""#, &format!("\"{}\"", "j".repeat(length)));
    assert!(check(&long(256)).is_ok());
    assert_eq!(check(&long(257)), Err(ProofError::Malformed));
});

test!(a_target_is_compared_after_normalising_and_nothing_more, {
    let is_of = |origin: &str, path: &str, path_policy, url: &str| {
        let (origin, path) = (Origin::parse(origin).unwrap(), NormalPath::new(path.as_bytes(), path_policy).unwrap());
        let now = UnixTime::from_secs(0);
        let statement =
            Statement { key: &[0; 32], token: "", method: "", origin: Some(&origin), path: &path, path_policy, now };
        statement.is_of(url)
    };
    let strict = PathPolicy::Strict;
    for url in [
        "https://api.example.com/a/b",
        "HTTPS://API.Example.COM/a/b",
        "https://api.example.com:443/a/b",
        "https://api.example.com./a/b",
        "https://api.example.com/%61/b",
        "https://api.example.com/a/b?x=y",
        "https://api.example.com/a/b#f",
        "https://api.example.com/a/b?x#f?/",
    ] {
        assert!(is_of("https://api.example.com", "/a/b", strict, url), "{url}");
        assert!(is_of("https://API.example.com.:443", "/a/%62", strict, url), "{url}");
    }
    for url in [
        "",
        "/a/b",
        "//api.example.com/a/b",
        "api.example.com/a/b",
        "http://api.example.com/a/b",
        "http://api.example.com:443/a/b",
        "https://api.example.com:8443/a/b",
        "https://api.example.com:0443x/a/b",
        "https://api.example.org/a/b",
        "https://user@api.example.com/a/b",
        "https://api.example.com/a/b/",
        "https://api.example.com/a",
        "https://api.example.com",
        "https://api.example.com/A/b",
        "https://api.example.com/a%2Fb",
        "https://api.example.com/a//b",
        "https://api.example.com/a/./b",
        "https://api.example.com/a/c/../b",
        "https://api.example.com/a\\b",
        "https://api.example.com/a/b ",
        " https://api.example.com/a/b",
        "https://api.example.com/a/b;x",
        "https://api.example.com/a/b%00",
    ] {
        assert!(!is_of("https://api.example.com", "/a/b", strict, url), "{url}");
    }
    assert!(is_of("http://h", "/", strict, "http://h") && is_of("http://h", "/", strict, "http://h:80?x"));
    assert!(is_of("https://h", "/a/b", PathPolicy::Normalize, "https://h/a/./c/../b"));
    assert!(is_of("https://[::1]:8443", "/%C3%A9", strict, "https://[::1]:8443/%c3%a9"));
    for text in ["", "https://", "https://h/", "ftp://h", "https://h?", "https://u@h", "h", "https://h:99999"] {
        assert_eq!(Origin::parse(text), None, "{text}");
    }
});

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Any one byte that is changed, put in or left out spoils it.
        #[test]
        fn no_other_proof_is_good(at in 0..EXAMPLE.len(), byte in any::<u8>(), how in 0..3) {
            let mut bytes = EXAMPLE.as_bytes().to_vec();
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
            if let Ok(text) = std::str::from_utf8(&bytes) {
                prop_assert_eq!(verify(text, |_| ()).is_ok(), text == EXAMPLE);
            }
        }

        #[test]
        fn any_text_is_read_without_panic(header in vec(any::<char>(), 0..40), payload in vec(any::<u8>(), 0..40), url in ".*") {
            let header: String = header.into_iter().collect();
            let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
            let jwk = format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{header:?}}}"#);
            for header in [header, jwk] {
                let proof = format!("{}.{}.AAAA", encode(header.as_bytes()), encode(&payload));
                prop_assert!(verify(&proof, |_| ()).is_err());
            }
            let _ = Origin::parse(&url);
        }
    }
}
