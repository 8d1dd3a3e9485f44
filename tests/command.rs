//! The command `gatepost`, through its built binary.

use std::collections::HashSet;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs};

use serde_json::{Value, json};
use tempfile::TempDir;
use wasm_test_harness::mint;

const SECRET: &str = "a-secret-that-nobody-may-ever-see";

// --- check

#[test]
fn a_good_configuration_is_ok() {
    let output = gatepost(&["check", "envoy.yaml"]);
    assert_eq!(stdout(&output), "envoy.yaml: ok, 2 routes, 1 authenticator\n");
    assert_eq!(code(&output), 0);
}

#[test]
fn every_error_is_named_at_once_with_its_place() {
    let folder = folder();
    let file = write(
        &folder,
        "broken.json",
        &json!({
            "authorizer": authorizer(),
            "patsh": [],
            "paths": [{"method": "GET", "path": "/a"}, {"method": "GET", "path": "/b", "auth": false}, {"method": "GET", "path": "/c"}],
        })
        .to_string(),
    );
    let output = gatepost(&["check", &file]);
    let lines: Vec<_> = stdout(&output).lines().map(str::to_owned).collect();
    assert_eq!(code(&output), 1, "{lines:?}");
    for place in ["patsh", "paths[0].auth", "paths[2].auth"] {
        let prefix = format!("{file}: {place}: ");
        assert_eq!(lines.iter().filter(|line| line.starts_with(&prefix)).count(), 1, "{place}: {lines:?}");
    }
    assert_eq!(lines.last().map(String::as_str), Some("3 errors"));
}

#[test]
fn a_broken_file_does_not_hide_the_next() {
    let folder = folder();
    let broken = write(&folder, "broken.json", "{");
    let output = gatepost(&["check", &broken, "envoy.yaml"]);
    assert!(stdout(&output).contains("envoy.yaml: ok"));
    assert!(stdout(&output).starts_with(&format!("{broken}: ")));
    assert_eq!(code(&output), 1);

    let output = gatepost(&["check", "no-such-file.json", "envoy.yaml"]);
    assert!(stdout(&output).contains("envoy.yaml: ok"));
    assert!(stderr(&output).contains("no-such-file.json"));
    assert_eq!(code(&output), 2);
}

#[test]
fn a_duplicate_member_is_an_error_in_json_and_in_yaml() {
    let folder = folder();
    let json =
        write(&folder, "twice.json", r#"{"paths": [{"method": "GET", "path": "/", "auth": true, "auth": false}]}"#);
    let yaml = write(&folder, "twice.yaml", "paths:\n  - method: GET\n    path: /\n    auth: true\n    auth: false\n");
    for file in [json, yaml] {
        let output = gatepost(&["check", &file]);
        assert_eq!(code(&output), 1, "{}", stdout(&output));
    }
}

#[test]
fn a_plugin_configuration_may_be_yaml_and_on_standard_input() {
    let yaml = "paths:\n  - {method: GET, path: /health, auth: false}\n";
    for input in [yaml, r#"{"paths": [{"method": "GET", "path": "/health", "auth": false}]}"#] {
        let output = gatepost_with_input(&["check", "-"], input);
        assert_eq!(stdout(&output), "-: ok, 1 route, 0 authenticators\n", "{}", stderr(&output));
    }
}

#[test]
fn the_configuration_is_found_in_every_wrapping() {
    let folder = folder();
    let inner = json!({"paths": [{"method": "GET", "path": "/health", "auth": false}]});
    let wasm = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
    let as_string = json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": inner.to_string()});
    let as_struct = json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": inner});
    let bootstrap = |plugin: Value| json!({"static_resources": {"listeners": [{"filters": [plugin]}]}});
    for (name, document) in [
        ("string", bootstrap(json!({"@type": wasm, "config": {"configuration": as_string}}))),
        ("struct", bootstrap(json!({"@type": wasm, "config": {"configuration": as_struct}}))),
        (
            "typed",
            bootstrap(json!({
                "@type": "type.googleapis.com/xds.type.v3.TypedStruct",
                "type_url": wasm,
                "value": {"config": {"configuration": as_string}},
            })),
        ),
        ("istio", json!({"kind": "WasmPlugin", "spec": {"url": "oci://example/gatepost", "pluginConfig": inner}})),
    ] {
        let file = write(&folder, &format!("{name}.json"), &document.to_string());
        let output = gatepost(&["check", &file]);
        assert_eq!(stdout(&output), format!("{file}: ok, 1 route, 0 authenticators\n"), "{name}: {}", stderr(&output));
    }
    let file = write(&folder, "none.json", &bootstrap(json!({})).to_string());
    let output = gatepost(&["check", &file]);
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("without a wasm filter"), "{}", stdout(&output));
}

#[test]
fn a_bootstrap_sees_only_the_environment_of_its_vm() {
    let folder = folder();
    let inner = json!({
        "authorizer": {"type": "jwt", "issuer": "*", "audiences": ["*"], "secret": {"env": "GATEPOST_TEST_SECRET"}},
        "paths": [{"method": "GET", "path": "/", "auth": true}],
    });
    let bootstrap = |environment: Value| {
        json!({"static_resources": {"@type": "x/envoy.extensions.filters.http.wasm.v3.Wasm", "config": {
            "vm_config": {"environment_variables": environment},
            "configuration": {"@type": "x/google.protobuf.StringValue", "value": inner.to_string()},
        }}})
    };
    let check = |file: &str, more: &[&str]| {
        let mut command = command();
        command.args(["check", file]).args(more).env("GATEPOST_TEST_SECRET", SECRET);
        let output = command.output().unwrap();
        assert!(!stdout(&output).contains(SECRET) && !stderr(&output).contains(SECRET));
        code(&output)
    };
    let without = write(&folder, "without.json", &bootstrap(json!({})).to_string());
    let with = write(&folder, "with.json", &bootstrap(json!({"host_env_keys": ["GATEPOST_TEST_SECRET"]})).to_string());
    let given =
        write(&folder, "given.json", &bootstrap(json!({"key_values": {"GATEPOST_TEST_SECRET": SECRET}})).to_string());
    assert_eq!(check(&without, &[]), 1);
    assert_eq!(check(&without, &["--env", &format!("GATEPOST_TEST_SECRET={SECRET}")]), 0);
    assert_eq!(check(&with, &[]), 0);
    assert_eq!(check(&given, &[]), 0);
}

#[test]
fn a_syntax_error_shows_its_place_and_nothing_of_the_file() {
    let folder = folder();
    let file = write(&folder, "broken.yaml", &format!("authorizer:\n  secret: {SECRET}\n  issuer: [\n"));
    let output = gatepost(&["check", &file]);
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("line "), "{}", stdout(&output));
    assert!(!stdout(&output).contains(SECRET) && !stderr(&output).contains(SECRET));
}

// --- explain

#[test]
fn an_allowed_request_is_explained_as_the_service_would_see_it() {
    let token = demo_token(&[]);
    let authorization = format!("Authorization: Bearer {token}");
    let output = gatepost(&[
        "explain",
        "envoy.yaml",
        "--path",
        "/proxy/orders/7?source=web&actor=admin",
        "--header",
        &authorization,
        "--header",
        "X-User-Id: admin",
        "--header",
        "accept: */*",
    ]);
    let text = stdout(&output);
    assert_eq!(code(&output), 0, "{text}{}", stderr(&output));
    for line in [
        "path           /proxy/orders/7",
        "  GET /orders/7?source=web&actor=user-1",
        "  accept: */*",
        "+ x-user-id: user-1",
        "+ x-region: eu-west-1",
        "- x-user-id: admin",
    ] {
        assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
    }
    assert!(text.contains(&format!("- authorization: <redacted, {} bytes>", token.len() + "Bearer ".len())), "{text}");
    assert!(!text.contains(&token));
}

#[test]
fn a_refused_request_is_explained_with_the_precise_reason() {
    let forged = stdout(&gatepost(&[
        "token",
        "--key",
        "es2",
        "--kid",
        "es1",
        "--iss",
        "https://demo-issuer.example",
        "--aud",
        "demo",
        "--sub",
        "user-1",
    ]));
    let authorization = format!("authorization: Bearer {}", forged.trim());
    let output =
        gatepost(&["explain", "envoy.yaml", "--path", "/proxy/orders/7", "--header", &authorization, "--json"]);
    assert_eq!(code(&output), 1);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["verdict"], "deny");
    assert_eq!(report["reason"], "bad_signature");
    assert_eq!(report["answer"]["status"], 401);
    assert!(report["answer"]["body"].as_str().unwrap().contains(r#""invalid_token""#));
    assert!(!stdout(&output).contains(forged.trim()));

    let output = gatepost(&["explain", "envoy.yaml", "--path", "/proxy/../health"]);
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("bad_path"), "{}", stdout(&output));
    let output = gatepost(&["explain", "envoy.yaml", "--method", "POST", "--path", "/health", "--body", "x"]);
    assert!(stdout(&output).contains("allow: GET"), "{}", stdout(&output));
}

#[test]
fn the_clock_of_an_explanation_can_be_set() {
    let token = demo_token(&["--exp", "none", "--claim", "exp=1800000000", "--claim", "iat=1799990000"]);
    let authorization = format!("authorization: Bearer {token}");
    let explain =
        |at: &str| gatepost(&["explain", "envoy.yaml", "--path", "/proxy/a", "--at", at, "--header", &authorization]);
    assert_eq!(code(&explain("1800000059")), 0);
    assert_eq!(code(&explain("2027-01-15T08:00:59Z")), 0);
    let late = explain("1800000060");
    assert_eq!(code(&late), 1);
    assert!(stdout(&late).contains("expired"), "{}", stdout(&late));
    assert_eq!(code(&explain("tomorrow")), 2);
}

#[test]
fn credentials_are_shown_by_their_length_wherever_they_stand() {
    let folder = folder();
    let file = write(
        &folder,
        "config.json",
        &json!({
            "authorizer": {"type": "jwt", "issuer": "*", "audiences": ["*"], "secret": SECRET,
                           "from": [{"header": "x-session"}, {"query": "sid"}]},
            "paths": [{"method": "GET", "path": "/open", "auth": false}, {"method": "GET", "path": "/closed", "auth": true}],
        })
        .to_string(),
    );
    let token = stdout(&gatepost(&["token", "--secret", SECRET, "--sub", "user-1"])).trim().to_owned();
    for path in ["/open", "/closed"] {
        for json in [&[][..], &["--json"]] {
            let target = format!("{path}?sid={token}&access_token=opaque-token");
            let headers = [
                format!("x-session: {token}"),
                format!("x-copy: see {token}"),
                "authorization: Basic b3BhcXVl".to_owned(),
                "cookie: session=opaque-cookie".to_owned(),
                format!("x-note: {SECRET}"),
            ];
            let mut arguments = vec!["explain", &file, "--path", &target];
            arguments.extend(headers.iter().flat_map(|header| ["--header", header]));
            arguments.extend(json);
            let output = gatepost(&arguments);
            let text = stdout(&output) + &stderr(&output);
            for hidden in [&token, SECRET, "opaque-token", "opaque-cookie", "b3BhcXVl"] {
                assert!(!text.contains(hidden), "{hidden} in {text}");
            }
            assert!(text.contains("<redacted, "), "{text}");
        }
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for arguments in [
        &["explain", "envoy.yaml"][..],
        &["explain", "envoy.yaml", "--path", "/", "--header", "no colon"],
        &["explain", "envoy.yaml", "--path", "/", "--header", ":path: /other"],
        &["explain", "no-such-file", "--path", "/"],
        &["check"],
        &["token"],
        &["token", "--key", "no-such-key"],
        &["token", "--key", "es1", "--alg", "none"],
        &["token", "--key", "es1", "--alg", "RS256"],
        &["token", "--key", "es1", "--exp", "soon"],
        &["token", "--key", "es1", "--claim", "role=admin"],
        &["no-such-command"],
    ] {
        let output = gatepost(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(stdout(&output).is_empty() && !stderr(&output).is_empty(), "{arguments:?}");
    }
}

// --- token

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

// --- hash-key

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

// --- jwks

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
        assert_eq!((code(&output), stdout(&output).as_str()), (1, ""));
        assert!(stderr(&output).contains(reason), "{}", stderr(&output));
        for secret in [SECRET, private.lines().nth(1).unwrap()] {
            assert!(!stderr(&output).contains(secret), "{}", stderr(&output));
        }
    }
}

#[test]
fn an_identity_token_is_explained_without_showing_it() {
    let folder = folder();
    let file = write(&folder, "gateway.json", &with_identity_token("HS256", json!(SECRET)).to_string());
    let token = mint::mint(&mint::TokenSpec::default(), 1_800_000_000).unwrap();
    let authorization = format!("authorization: Bearer {token}");
    let output = gatepost(&["explain", &file, "--path", "/", "--header", &authorization, "--at", "1800000000"]);
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("+ x-badge: <redacted, "), "{}", stdout(&output));
    assert!(!stdout(&output).contains("eyJ"), "{}", stdout(&output));
}

fn with_identity_token(algorithm: &str, key: Value) -> Value {
    json!({
        "authorizer": authorizer(),
        "identity_token": {"header": "x-badge", "algorithm": algorithm, "key": key, "audience": "services"},
        "paths": [{"method": "GET", "path": "/", "auth": true}],
    })
}

// --- help, run

#[test]
fn help_teaches_by_example() {
    for subcommand in [&["check"][..], &["explain"], &["token"], &["token", "keys"], &["hash-key"], &["jwks"], &["run"]]
    {
        let output = gatepost(&[subcommand, &["--help"]].concat());
        assert_eq!(code(&output), 0);
        assert!(stdout(&output).contains("Example"), "{subcommand:?}");
    }
    assert!(stdout(&gatepost(&["token", "--help"])).contains("For tests only"));
}

#[test]
fn a_port_that_is_taken_is_named_with_the_line_to_change() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let file = demo_configuration(&folder, port);
    let output = command().args(["run", "--config", &file]).output().unwrap();
    assert_eq!(code(&output), 1);
    let message = stderr(&output);
    assert!(message.contains(&format!("port {port} (gateway)")), "{message}");
    assert!(message.contains(&format!("change `port_value: {port}`")) && message.contains("line "), "{message}");
}

#[test]
fn the_demo_answers_as_it_promises() {
    for name in ["ENVOY", "GATEPOST_MODULE"] {
        assert!(env::var_os(name).is_some(), "{name} is not set; run the tests by `make test`, which sets it");
    }
    let folder = folder();
    let file = demo_configuration(&folder, free_port());
    let output = command().args(["run", "--check", "--config", &file]).output().unwrap();
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
    assert_eq!(stdout(&output).matches("as expected").count(), 3, "{}", stdout(&output));
}

/// envoy.yaml as it stands, but for the ports: other tests run at the same time.
fn demo_configuration(folder: &TempDir, gateway: u16) -> String {
    let mut text = fs::read_to_string(root().join("envoy.yaml")).unwrap();
    for (fixed, free) in [("10000", gateway), ("9901", free_port()), ("8080", free_port())] {
        let port = format!("port_value: {fixed}");
        assert_eq!(text.matches(&port).count(), 1);
        text = text.replace(&port, &format!("port_value: {free}"));
    }
    write(folder, "envoy.yaml", &text)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn authorizer() -> Value {
    let jwks = wasm_test_harness::mint::jwks(&["es1"]).unwrap();
    json!({"type": "jwt", "issuer": "https://idp.example.com", "audiences": ["api"], "jwks": {"inline": jwks}})
}

fn demo_token(more: &[&str]) -> String {
    let demo = ["token", "--key", "es1", "--iss", "https://demo-issuer.example", "--aud", "demo", "--sub", "user-1"];
    let output = gatepost(&[&demo, more].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    stdout(&output).trim().to_owned()
}

fn gatepost(arguments: &[&str]) -> Output {
    command().args(arguments).output().unwrap()
}

fn gatepost_with_input(arguments: &[&str], input: impl AsRef<[u8]>) -> Output {
    let mut child =
        command().args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_ref()).unwrap();
    child.wait_with_output().unwrap()
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    command.current_dir(root());
    command
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn folder() -> TempDir {
    TempDir::new().unwrap()
}

fn write(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}
