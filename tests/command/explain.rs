//! `gatepost explain`.

use serde_json::{Value, json};
use wasm_test_harness::mint;

use crate::support::{SECRET, code, demo_token, folder, gatepost, stderr, stdout, with_identity_token, write};

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

#[test]
fn each_check_and_each_route_that_was_not_chosen_is_told() {
    let folder = folder();
    let jwks = wasm_test_harness::mint::jwks(&["es1"]).unwrap();
    let file = write(
        &folder,
        "gateway.json",
        &json!({
            "authorizer": {"type": "jwt", "issuer": "https://demo-issuer.example", "audiences": ["other"], "jwks": {"inline": jwks}},
            "paths": [
                {"method": "GET", "path": "/a/{.+}", "auth": {"use": "default", "roles": ["admin"]}},
                {"method": "POST", "path": "/a/{id}", "auth": false, "hosts": ["b.example.com"]},
                {"method": "ANY", "path": "/{.+}", "auth": false},
                {"method": "GET", "path": "/c", "auth": false},
            ],
        })
        .to_string(),
    );
    let authorization = format!("authorization: Bearer {}", demo_token(&[]));
    let output = gatepost(&["explain", &file, "--path", "/a/1", "--header", &authorization, "--json"]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["reason_documentation"], "docs/denials/invalid_audience.md#wrong_audience");
    let because: Vec<&str> =
        report["not_chosen"].as_array().unwrap().iter().map(|route| route["because"].as_str().unwrap()).collect();
    assert_eq!(because, ["it is for b.example.com", "another one is more specific", "another path"]);
    assert_eq!(
        report["credentials"],
        json!([{"authenticator": "default", "found": ["header `authorization` (Bearer)"]}])
    );
    let result = |name: &str| {
        let checks = report["checks"].as_array().unwrap();
        checks.iter().find(|check| check["check"] == name).unwrap()["result"].clone()
    };
    assert_eq!([result("signature"), result("audience"), result("type")], ["passed", "failed", "not_reached"]);
    assert!(
        report["steps"].as_array().unwrap().contains(&json!({"step": "needs", "finding": "default: role `admin`"}))
    );
}

#[test]
fn parameters_that_are_removed_and_set_are_told() {
    let authorization = format!("authorization: Bearer {}", demo_token(&[]));
    let target = "/proxy/orders/7?source=web&actor=admin";
    let output = gatepost(&["explain", "envoy.yaml", "--path", target, "--header", &authorization, "--json"]);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["forwarded"]["query"], json!({"added": ["actor=user-1"], "removed": ["actor=admin"]}));
    assert!(report["checks"].as_array().unwrap().iter().all(|check| check["result"] == "passed"));
}
