//! `gatepost check`: errors.

use serde_json::{Value, json};

use crate::support::{SECRET, authorizer, code, command, folder, gatepost, gatepost_with_input, stderr, stdout, write};

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
