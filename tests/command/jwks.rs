//! `gatepost jwks`.

use serde_json::{Value, json};
use wasm_test_harness::mint;

use crate::support::{SECRET, code, folder, gatepost, stderr, stdout, with_identity_token, write};

#[test]
fn the_public_key_of_identity_tokens_is_printed_and_nothing_of_the_private_one() {
    for (algorithm, key, kind) in [("ES256", "es1", "EC"), ("EdDSA", "ed1", "OKP")] {
        let folder = folder();
        let file = write(&folder, "gateway.json", &with_identity_token(algorithm, json!({"env": "KEY"})).to_string());
        let private = mint::private_text(key).unwrap();
        let output = gatepost(&["jwks", &file, "--env", &format!("KEY={private}")]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let own = mint::PrivateKey::named(key).unwrap();
        let mut expected = own.jwk(own.thumbprint().as_deref(), Some(algorithm));
        expected["use"] = json!("sig");
        assert_eq!(printed, json!({"keys": [expected]}));
        assert_eq!(printed["keys"][0]["kty"], kind);
    }
}

#[test]
fn the_keys_of_several_gateways_are_one_set() {
    let folder = folder();
    let file = |name: &str, key: &str| {
        let key = json!(mint::private_text(key).unwrap());
        write(&folder, name, &with_identity_token("ES256", key).to_string())
    };
    let files = [file("new.json", "es2"), file("old.json", "es1"), file("same.json", "es1")];
    let output = gatepost(&["jwks", &files[0], &files[1], &files[2]]);
    let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let kids: Vec<_> = printed["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str()).collect();
    let expected = ["es2", "es1"].map(|name| mint::PrivateKey::named(name).unwrap().thumbprint());
    assert_eq!(kids, [expected[0].as_deref(), expected[1].as_deref()]);
}

#[test]
fn without_a_public_key_there_is_no_key_set_and_the_reason_is_told() {
    let folder = folder();
    let private = mint::private_text("es1").unwrap();
    let cases = [
        (with_identity_token("HS256", json!(SECRET)), "HS256 has no public key"),
        (json!({"paths": [{"method": "GET", "path": "/", "auth": false}]}), "identity_token: there is none"),
        (with_identity_token("EdDSA", json!(private)), "identity_token.key: not a key for EdDSA"),
        (with_identity_token("ES256", json!(SECRET)), "identity_token.key: not one PEM block"),
    ];
    for (configuration, reason) in cases {
        let file = write(&folder, "gateway.json", &configuration.to_string());
        let output = gatepost(&["jwks", &file]);
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
        assert!(stderr(&output).contains(reason), "{}", stderr(&output));
        for secret in [SECRET, private.lines().nth(1).unwrap()] {
            assert!(!stderr(&output).contains(secret), "{}", stderr(&output));
        }
    }
}
