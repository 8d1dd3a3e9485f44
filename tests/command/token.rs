//! `gatepost token`.

use std::fs;

use serde_json::{Value, json};

use crate::support::{code, folder, gatepost, root, stderr, stdout, write};

#[test]
fn a_token_of_a_new_key_is_accepted_with_its_key_set() {
    for algorithm in ["ES256", "ES384", "ES512", "EdDSA", "PS256"] {
        let folder = folder();
        let out = folder.path().join("keys");
        let keys = gatepost(&["token", "keys", "--out", out.to_str().unwrap(), "--alg", algorithm]);
        assert_eq!(code(&keys), 0, "{}", stderr(&keys));
        let jwks: Value = serde_json::from_str(&stdout(&keys)).unwrap();
        assert!(!stdout(&keys).contains(r#""d""#));
        let key = out.join(format!("{}.pem", algorithm.to_lowercase()));
        let config = json!({
            "authorizer": {"type": "jwt", "issuer": "me", "audiences": ["*"], "jwks": {"inline": jwks}},
            "paths": [{"method": "GET", "path": "/", "auth": {"use": "default", "roles": ["admin"]},
                       "mapping": {"headers": {"x-user-id": "$request.jwt.sub"}}}],
        });
        let file = write(&folder, "config.json", &config.to_string());
        let token = gatepost(&[
            "token",
            "--key",
            key.to_str().unwrap(),
            "--alg",
            algorithm,
            "--iss",
            "me",
            "--sub",
            "somebody",
            "--claim",
            r#"roles=["admin"]"#,
        ]);
        let authorization = format!("authorization: Bearer {}", stdout(&token).trim());
        let output = gatepost(&["explain", &file, "--path", "/", "--header", &authorization]);
        assert_eq!(code(&output), 0, "{algorithm}: {}{}{}", stdout(&output), stderr(&output), stderr(&token));
        assert!(stdout(&output).contains("+ x-user-id: somebody"));
        // A key is never overwritten.
        assert_eq!(code(&gatepost(&["token", "keys", "--out", out.to_str().unwrap(), "--alg", algorithm])), 2);
    }
}

#[test]
fn a_shared_secret_has_no_public_key_set() {
    let folder = folder();
    let keys = gatepost(&["token", "keys", "--out", folder.path().to_str().unwrap(), "--alg", "HS256"]);
    let jwks: Value = serde_json::from_str(&stdout(&keys)).unwrap();
    assert_eq!(jwks, json!({"keys": []}));
    let secret = fs::read_to_string(folder.path().join("hs256.txt")).unwrap();
    assert!(secret.len() >= 32 && !stderr(&keys).contains(&secret));
    let from_file = format!("@{}", folder.path().join("hs256.txt").display());
    assert_eq!(stdout(&gatepost(&["token", "--secret", &from_file])).split('.').count(), 3);
}

#[test]
fn the_demo_gateway_trusts_the_demo_key() {
    let configuration = fs::read_to_string(root().join("envoy.yaml")).unwrap();
    let jwks = wasm_test_harness::mint::jwks(&["es1"]).unwrap();
    for coordinate in ["x", "y"] {
        assert!(configuration.contains(jwks["keys"][0][coordinate].as_str().unwrap()), "{coordinate}");
    }
}
