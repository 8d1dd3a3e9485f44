//! What the tests of all subcommands need.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

pub const SECRET: &str = "a-secret-that-nobody-may-ever-see";

pub fn with_identity_token(algorithm: &str, key: Value) -> Value {
    json!({
        "authorizer": authorizer(),
        "identity_token": {"header": "x-badge", "algorithm": algorithm, "key": key, "audience": "services"},
        "paths": [{"method": "GET", "path": "/", "auth": true}],
    })
}

pub fn authorizer() -> Value {
    let jwks = wasm_test_harness::mint::jwks(&["es1"]).unwrap();
    json!({"type": "jwt", "issuer": "https://idp.example.com", "audiences": ["api"], "jwks": {"inline": jwks}})
}

pub fn demo_token(more: &[&str]) -> String {
    let demo = ["token", "--key", "es1", "--iss", "https://demo-issuer.example", "--aud", "demo", "--sub", "user-1"];
    let output = gatepost(&[&demo, more].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    stdout(&output).trim().to_owned()
}

pub fn gatepost(arguments: &[&str]) -> Output {
    command().args(arguments).output().unwrap()
}

pub fn gatepost_with_input(arguments: &[&str], input: impl AsRef<[u8]>) -> Output {
    let mut child =
        command().args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_ref()).unwrap();
    child.wait_with_output().unwrap()
}

pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    command.current_dir(root());
    command
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub fn folder() -> TempDir {
    TempDir::new().unwrap()
}

pub fn write(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}
