//! `gatepost hash-key`.

use std::collections::HashSet;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};

use crate::support::{SECRET, code, folder, gatepost, gatepost_with_input, stderr, stdout, write};

#[test]
fn a_key_is_hashed_from_standard_input_alone() {
    // The digest is that of `printf gp_foo-bar-baz-0123456789 | sha256sum`.
    let digest = "9b5d4a28808536584f317bcbe7ad32cea5d492cad4b1239f52348826d011036c";
    for input in ["gp_foo-bar-baz-0123456789", "gp_foo-bar-baz-0123456789\n", "gp_foo-bar-baz-0123456789\r\n"] {
        let output = gatepost_with_input(&["hash-key", "--id", "ci"], input);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert_eq!(stdout(&output), format!("sha256: {digest}\n{{\"id\":\"ci\",\"sha256\":\"{digest}\"}}\n"));
        assert_eq!(stderr(&output), "");
    }
    // An id that tells the key apart where none is given.
    let output = gatepost_with_input(&["hash-key"], "gp_foo-bar-baz-0123456789");
    assert!(stdout(&output).contains(&format!("\"id\":\"key-{}\"", &digest[..8])), "{}", stdout(&output));
    // An argument would be in the history and in the list of processes; and the message does not repeat it.
    let output = gatepost(&["hash-key", "--id", "ci", "--key", SECRET]);
    assert_eq!(code(&output), 2);
    assert!(!stderr(&output).contains(SECRET), "{}", stderr(&output));
}

#[test]
fn an_entry_is_ready_for_a_configuration_and_its_key_is_let_in() {
    let folder = folder();
    let output = gatepost(&[
        "hash-key",
        "--generate",
        "--id",
        "ci \"1\"",
        "--owner",
        "acme",
        "--scope",
        "orders:read",
        "--scope",
        "a",
        "--role",
        "deployer",
        "--expires",
        "90d",
    ]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().collect();
    let [key, digest, entry] = lines[..] else { panic!("{lines:?}") };
    let key = key.strip_prefix("key: ").unwrap();
    let digest = digest.strip_prefix("sha256: ").unwrap();
    let entry: Value = serde_json::from_str(entry).unwrap();
    assert_eq!(entry["sha256"], digest);
    assert_eq!(entry["scopes"], json!(["orders:read", "a"]));
    assert!(!stderr(&output).contains(key));
    let again = gatepost_with_input(&["hash-key"], key);
    assert!(stdout(&again).starts_with(&format!("sha256: {digest}\n")));

    let file = write(
        &folder,
        "config.json",
        &json!({
            "authorizer": {"type": "api_key", "keys": [entry]},
            "paths": [{"method": "GET", "path": "/", "auth": {"use": "default", "scopes": ["orders:read"], "roles": ["deployer"]},
                       "mapping": {"headers": {"x-user-id": "$identity.subject", "x-owner": "$identity.owner"}}}],
        })
        .to_string(),
    );
    let header = format!("x-api-key: {key}");
    let days =
        |days: u64| (SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + days * 86_400).to_string();
    let explain = |at: &str| gatepost(&["explain", &file, "--path", "/", "--at", at, "--header", &header]);
    let output = explain(&days(89));
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("+ x-user-id: ci \"1\"") && stdout(&output).contains("+ x-owner: acme"));
    assert!(!stdout(&output).contains(key), "{}", stdout(&output));
    let output = explain(&days(91));
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("expired_api_key") && !stdout(&output).contains(key), "{}", stdout(&output));
}

#[test]
fn generated_keys_are_long_random_and_recognisable() {
    let keys: Vec<String> = (0..8)
        .map(|_| {
            let text = stdout(&gatepost(&["hash-key", "--generate"]));
            text.lines().next().unwrap().strip_prefix("key: gp_").unwrap().to_owned()
        })
        .collect();
    for (index, key) in keys.iter().enumerate() {
        // 62^43 > 2^256.
        assert!(key.len() == 43 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{key}");
        assert!(!keys[..index].contains(key));
    }
    // 344 letters of 62: that any ten are missing has a probability below 1 in 10^15.
    let letters: HashSet<char> = keys.concat().chars().collect();
    assert!(letters.len() > 52, "{letters:?}");
}

#[test]
fn a_key_that_no_request_could_carry_is_refused() {
    for (input, why) in [
        (&b""[..], "empty"),
        (b"\n", "empty"),
        (b" gp_key", "white space"),
        (b"gp_key ", "white space"),
        (b"gp_key\n\n", "several lines"),
        (b"gp_one\ngp_two\n", "several lines"),
        (b"gp_\x07key", "control"),
        (b"gp_\xff", "UTF-8"),
    ] {
        let output = gatepost_with_input(&["hash-key"], input);
        assert_eq!(code(&output), 2, "{input:?}");
        assert!(stdout(&output).is_empty() && stderr(&output).contains(why), "{input:?}: {}", stderr(&output));
        assert!(!stderr(&output).contains("gp_"), "{}", stderr(&output));
    }
    let short = gatepost_with_input(&["hash-key"], "tiger");
    assert_eq!(code(&short), 0);
    assert!(stderr(&short).contains("guess") && !stderr(&short).contains("tiger"), "{}", stderr(&short));
}

#[test]
fn an_entry_that_the_filter_would_refuse_is_not_made() {
    for (arguments, expected) in [
        (&["--id", ""][..], "id: must not be empty"),
        (&["--id", "a\tb"], "id: must be free of control characters"),
        (&["--owner", ""], "owner: must not be empty"),
        (&["--scope", "orders:read orders:write"], "scopes[0]: must be one scope"),
        (&["--role", ""], "roles[0]: must be a role"),
        (&["--expires", "tomorrow"], "--expires tomorrow: write a time"),
        (&["--expires", "2027-02-29T00:00:00Z"], "--expires 2027-02-29T00:00:00Z: write a time"),
        (&["--expires", "2020-01-01T00:00:00Z"], "--expires 2020-01-01T00:00:00Z: is past"),
        (&["--expires", "9000years"], "--expires 9000years: is too far"),
    ] {
        let output = gatepost(&[&["hash-key", "--generate"], arguments].concat());
        assert_eq!(code(&output), 2, "{arguments:?}: {}", stdout(&output));
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
        // A key whose hash nobody has been told is of no use.
        assert!(stdout(&output).is_empty());
    }
    let output = gatepost(&["hash-key", "--generate", "--expires", "2099-12-31T23:59:59.5+01:00"]);
    assert!(stdout(&output).contains("\"expires_at\":\"2099-12-31T23:59:59.5+01:00\""), "{}", stderr(&output));
}
