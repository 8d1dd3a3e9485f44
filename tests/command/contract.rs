//! `gatepost contract`.

use serde_json::{Value, json};

use crate::support::{SECRET, authorizer, code, folder, gatepost, stderr, stdout, with_identity_token, write};

#[test]
fn a_service_reads_who_calls_what_it_gets_and_what_no_client_can_set() {
    let page = contract(&orders());
    for line in [
        "## `GET POST /orders/{id}`",
        "- a token of `users`, with role `admin` or `clerk`, scope `orders:read`",
        "- a key of `machines`, with role `admin` or `clerk`, scope `orders:read`",
        "| header `x-order` | the path's `{id}`, decoded | always | text | **nobody: the caller chooses it** |",
        "| header `x-region` | the text `eu` | always | text | the configuration |",
        "| header `x-user-id` | who calls: a token's `sub`, a key's `id`, a certificate's name | where there is one, else absent \
         | text | the authenticator |",
        "| query parameter `actor` | the claim `sub` | always: without it the request is refused (403 `missing_claim`) | JSON | \
         the authenticator |",
        "At most 10 requests per 1s (10 at once) for each caller, on this route.",
        "They are 404, and never arrive.",
    ] {
        assert!(page.lines().any(|found| found == line), "no `{line}` in\n{page}");
    }
    assert!(
        page.contains("**Everyone may call it.**") && page.contains("`x-gatepost-*`") && page.contains("`x-user-id`")
    );
    // The order of the file means nothing.
    let mut other = orders();
    other["paths"].as_array_mut().unwrap().reverse();
    assert_eq!(contract(&other), page);
}

#[test]
fn a_service_reads_how_to_verify_the_identity_token() {
    let key = wasm_test_harness::mint::private_text("es1").unwrap();
    let page = contract(&with_identity_token("ES256", json!(key)));
    for text in
        ["header `x-badge`", "with `ES256`", "`iss` is `gatepost`", "for `services`", "`gatepost jwks` prints the key"]
    {
        assert!(page.contains(text), "no `{text}` in\n{page}");
    }
    assert!(!page.contains(key.lines().nth(1).unwrap()));
    let page = contract(&with_identity_token("HS256", json!(SECRET)));
    assert!(page.contains("a secret that the gateway and the service share") && !page.contains(SECRET), "{page}");
}

#[test]
fn the_contract_is_json_too() {
    let folder = folder();
    let file = write(&folder, "gateway.json", &orders().to_string());
    let contract: Value = serde_json::from_str(&stdout(&gatepost(&["contract", "--json", &file]))).unwrap();
    let route = &contract["routes"][2];
    assert_eq!(route["path"], "/orders/{id}");
    assert_eq!(route["methods"], json!(["GET", "POST"]));
    assert_eq!(
        route["callers"][0],
        json!({"authenticators": ["users"], "holds": ["role `admin` or `clerk`", "scope `orders:read`"]})
    );
    assert_eq!(route["headers"][0]["origin"], "caller");
    assert_eq!(contract["unmatched"], "reject");
}

#[test]
fn what_changed_is_told_in_words_and_what_lets_more_through_first() {
    type Edit = fn(&mut Value);
    let cases: [(Edit, &[&str]); 15] = [
        (|c| c["paths"][0]["auth"] = json!(false), &["loosened   GET, POST /orders/{id}: now needs no credential"]),
        (
            |c| c["paths"][0]["auth"]["roles"] = json!(["admin"]),
            &[
                "tightened  GET, POST /orders/{id}: no longer accepts `clerk` as role of `users`",
                "tightened  GET, POST /orders/{id}: no longer accepts `clerk` as role of `machines`",
            ],
        ),
        (
            |c| c["paths"][0]["auth"] = json!({"use": "users", "scopes": ["orders:read"]}),
            &[
                "loosened   GET, POST /orders/{id}: no longer needs role of `users`: `admin` or `clerk`",
                "tightened  GET, POST /orders/{id}: can no longer be called with `machines`",
            ],
        ),
        (
            |c| drop(c["paths"][0]["mapping"]["headers"].as_object_mut().unwrap().remove("x-user-id")),
            &[
                "loosened   the gateway: clients can now set the header `x-user-id`",
                "changed    GET, POST /orders/{id}: header `x-user-id` is no longer set",
            ],
        ),
        (|c| c["paths"][0]["method"] = json!("GET"), &["tightened  POST /orders/{id}: is no longer served"]),
        // What decides, not what is written: a public route takes requests from a protected prefix.
        (
            |c| {
                c["paths"]
                    .as_array_mut()
                    .unwrap()
                    .push(json!({"method": "GET", "path": "/admin/health", "auth": false}))
            },
            &["loosened   GET /admin/health: now needs no credential"],
        ),
        (
            |c| {
                c["paths"]
                    .as_array_mut()
                    .unwrap()
                    .push(json!({"method": "GET", "path": "/admin/users", "auth": "users"}))
            },
            &["loosened   GET /admin/users: no longer needs role of `users`: `admin`"],
        ),
        (
            |c| c["paths"].as_array_mut().unwrap().push(json!({"method": "GET", "path": "/new", "auth": "users"})),
            &["changed    GET /new: is now served, for callers verified by `users`"],
        ),
        (
            |c| c["paths"][0]["mode"] = json!("shadow"),
            &["loosened   GET, POST /orders/{id}: is now in shadow mode: nothing is denied"],
        ),
        (
            |c| c["paths"][0]["rate_limit"]["requests"] = json!(5),
            &[
                "tightened  GET, POST /orders/{id}: is now limited otherwise: 5 requests per 1s (5 at once) for each caller, on \
               this route",
            ],
        ),
        (
            |c| c["unmatched"] = json!("forward"),
            &["loosened   the gateway: `unmatched` is now `forward`, was `reject`"],
        ),
        (
            |c| c["authenticators"]["users"]["audiences"] = json!(["api", "admin"]),
            &["loosened   authenticator `users`: `admin` is now accepted in `audiences`"],
        ),
        (
            |c| c["authenticators"]["users"]["require"] = json!(["exp"]),
            &["loosened   authenticator `users`: tokens no longer need the claim `sub`"],
        ),
        (
            |c| c["authenticators"]["machines"]["keys"][0]["roles"] = json!(["clerk", "admin"]),
            &["loosened   authenticator `machines`: the key `ci` now has the role `admin`"],
        ),
        // Neither the order nor the spelling of a configuration is a change.
        (|c| c["paths"].as_array_mut().unwrap().reverse(), &[]),
    ];
    for (edit, expected) in cases {
        let (mut new, folder) = (orders(), folder());
        edit(&mut new);
        let old = write(&folder, "old.json", &orders().to_string());
        let file = write(&folder, "new.json", &new.to_string());
        let output = gatepost(&["contract", &file, "--diff", &old]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let text = stdout(&output);
        let mut lines: Vec<&str> = text.lines().collect();
        lines.pop();
        assert_eq!(lines, expected, "{text}");
        let output = gatepost(&["contract", &file, "--diff", &old, "--exit-code", "--json"]);
        assert_eq!(code(&output), i32::from(!expected.is_empty()));
        let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(report["changes"].as_array().unwrap().len(), expected.len());
        let loosened = expected.iter().filter(|line| line.starts_with("loosened")).count();
        assert_eq!(report["loosened"], loosened);
    }
}

#[test]
fn an_invalid_configuration_has_no_contract() {
    let folder = folder();
    let good = write(&folder, "good.json", &orders().to_string());
    let broken = write(&folder, "broken.json", r#"{"paths": [{"method": "GET", "path": "/"}]}"#);
    for arguments in [&["contract", &broken][..], &["contract", &good, "--diff", &broken, "--exit-code"]] {
        let output = gatepost(arguments);
        assert_eq!((code(&output), stdout(&output)), (2, String::new()));
        assert!(stderr(&output).contains("paths[0].auth: required"), "{}", stderr(&output));
    }
}

fn contract(configuration: &Value) -> String {
    let folder = folder();
    let file = write(&folder, "gateway.json", &configuration.to_string());
    let output = gatepost(&["contract", &file]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    stdout(&output).replace(&file, "gateway.json")
}

fn orders() -> Value {
    let mut users = authorizer();
    users["require"] = json!(["exp", "sub"]);
    let key = json!({"id": "ci", "sha256": "a".repeat(64), "roles": ["clerk"], "scopes": ["orders:read"]});
    json!({
        "authenticators": {"users": users, "machines": {"type": "api_key", "keys": [key]}},
        "paths": [
            {
                "method": ["GET", "POST"],
                "path": "/orders/{id}",
                "auth": {"any": ["users", "machines"], "roles": ["admin", "clerk"], "scopes": ["orders:read"]},
                "mapping": {
                    "headers": {"x-user-id": "$identity.subject", "x-order": "$request.path.id", "x-region": "eu"},
                    "query": {"actor": {"value": "$request.jwt.sub", "required": true, "as": "json"}},
                },
                "rate_limit": {"requests": 10, "per": "1s"},
            },
            {"method": "GET", "path": "/health", "auth": false},
            {"method": "ANY", "path": "/admin/{.+}", "auth": {"use": "users", "roles": ["admin"]}},
        ],
    })
}
