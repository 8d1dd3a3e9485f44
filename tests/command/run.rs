//! `gatepost run`.

use std::env;
use std::fs;
use std::net::TcpListener;

use tempfile::TempDir;

use crate::support::{code, command, folder, root, stderr, stdout, write};

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
