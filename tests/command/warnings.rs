//! `gatepost check`: warnings.

use std::fs;

use serde_json::{Value, json};

use crate::support::{SECRET, authorizer, code, folder, gatepost, root, stderr, stdout, write};

#[test]
fn each_warning_is_given_where_it_is_deserved_and_nowhere_else() {
    let mut missing: Vec<String> = documented_codes();
    for (code, places, configuration) in deserved() {
        let found = warnings(&configuration);
        let expected = places.iter().map(|place| place.split_once('@').unwrap_or((code, place)));
        let expected: Vec<_> = expected.map(|(code, place)| (code.to_owned(), place.to_owned())).collect();
        assert_eq!(found, expected, "{configuration:#}");
        missing.retain(|known| known != code);
    }
    assert_eq!(missing, [""; 0], "no test deserves these");
}

#[test]
fn what_is_as_it_should_be_is_not_warned_of() {
    for configuration in harmless() {
        assert_eq!(warnings(&configuration), [], "{configuration:#}");
    }
}

#[test]
fn denied_warnings_fail_and_accepted_ones_do_not() {
    let folder = folder();
    let file = write(&folder, "gateway.json", &shadow().to_string());
    let check = |more: &[&str]| {
        let output = gatepost(&[&["check", &file], more].concat());
        (code(&output), stdout(&output).lines().count(), stderr(&output))
    };
    assert_eq!(check(&[]), (0, 3, String::new()));
    assert_eq!(check(&["--deny-warnings"]), (1, 3, String::new()));
    assert_eq!(check(&["--deny-warnings", "--allow", "shadow-mode"]), (0, 1, String::new()));
    assert_eq!(check(&["--deny-warnings", "--allow", "shadow-mode@paths[0].mode"]), (0, 1, String::new()));
    assert_eq!(check(&["--deny-warnings", "--allow", "shadow-mode@paths[1].mode"]), (1, 3, String::new()));
    let (code, lines, message) = check(&["--allow", "no-such-warning"]);
    assert_eq!((code, lines), (2, 0));
    assert!(message.contains("public-under-protected"), "{message}");
}

#[test]
fn a_warning_has_its_place_and_code_and_can_be_explained() {
    let folder = folder();
    let file = write(&folder, "gateway.json", &shadow().to_string());
    let output = gatepost(&["check", &file]);
    let warning = format!("{file}: paths[0].mode: warning[shadow-mode]: nothing is denied on GET /a");
    assert_eq!(stdout(&output), format!("{warning}\n{file}: ok, 1 route, 1 authenticator\n1 warning\n"));
    let output = gatepost(&["check", "--explain", "shadow-mode"]);
    assert!(stdout(&output).contains("denies nothing"), "{}", stdout(&output));
    assert_eq!(code(&gatepost(&["check", "--explain", "no-such-warning"])), 2);
}

#[test]
fn findings_are_one_json_object() {
    let folder = folder();
    let warned = write(&folder, "warned.json", &shadow().to_string());
    let broken = write(&folder, "broken.json", r#"{"paths": [{"method": "GET", "path": "/"}]}"#);
    let output = gatepost(&["check", "--json", &warned, &broken]);
    assert_eq!(code(&output), 1);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&report["errors"], &report["warnings"]), (&json!(1), &json!(1)));
    let [warned_report, broken_report] = report["configurations"].as_array().unwrap().as_slice() else {
        panic!("{report}")
    };
    assert_eq!(warned_report["source"], warned);
    assert_eq!(warned_report["valid"], true);
    assert_eq!(warned_report["warnings"][0]["code"], "shadow-mode");
    assert_eq!(warned_report["warnings"][0]["place"], "paths[0].mode");
    assert!(warned_report["warnings"][0]["remedy"].is_string());
    assert_eq!(broken_report["valid"], false);
    assert_eq!(broken_report["errors"], json!([{"place": "paths[0].auth", "message": "required"}]));
}

#[test]
fn a_finding_says_which_listener_and_filter_it_is_of() {
    let folder = folder();
    let wasm = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
    let filter = |name: &str, text: &str| {
        let text = json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text});
        json!({"@type": wasm, "config": {"name": name, "configuration": text}})
    };
    let listener = |name: &str, filter: Value| json!({"name": name, "filter_chains": [{"filters": [filter]}]});
    let good = shadow().to_string();
    let one = json!({"static_resources": {"listeners": [listener("ingress", filter("gatepost", &good))]}});
    let file = write(&folder, "one.json", &one.to_string());
    let output = gatepost(&["check", &file]);
    let prefix = format!("{file} (listener ingress, wasm filter gatepost): paths[0].mode: warning");
    assert!(stdout(&output).starts_with(&prefix), "{}", stdout(&output));
    let listeners = [listener("ingress", filter("gatepost", &good)), listener("admin", filter("gatepost", "{}"))];
    let file = write(&folder, "two.json", &json!({"static_resources": {"listeners": listeners}}).to_string());
    let output = gatepost(&["check", &file]);
    for line in [
        format!("{file} (1: listener ingress, wasm filter gatepost): ok, 1 route, 1 authenticator"),
        format!("{file} (2: listener admin, wasm filter gatepost): paths: required"),
    ] {
        assert!(stdout(&output).lines().any(|found| found == line), "no `{line}` in\n{}", stdout(&output));
    }
    assert_eq!(code(&output), 1);
}

#[test]
fn no_secret_is_in_a_warning() {
    let folder = folder();
    let configuration = json!({
        "authorizer": {"type": "hmac", "scheme": "generic", "keys": [{"id": "a", "secret": SECRET}, {"id": "b", "secret": "tiger"}]},
        "identity_token": {"header": "x-badge", "algorithm": "HS256", "key": SECRET, "audience": "a"},
        "paths": [{"method": "GET", "path": "/", "auth": true}],
    });
    let file = write(&folder, "gateway.json", &configuration.to_string());
    for json in [&[][..], &["--json"]] {
        let output = gatepost(&[&["check", &file], json].concat());
        assert!(stdout(&output).contains("inline-secret") && stdout(&output).contains("short-secret"));
        assert!(!stdout(&output).contains(SECRET) && !stdout(&output).contains("tiger"), "{}", stdout(&output));
    }
}

/// The codes and places of a configuration's warnings, in 2026.
fn warnings(configuration: &Value) -> Vec<(String, String)> {
    let folder = folder();
    let file = write(&folder, "gateway.json", &configuration.to_string());
    let environment = format!("LONG_SECRET={SECRET}");
    let output = gatepost(&[
        "check",
        &file,
        "--json",
        "--at",
        "2026-06-01T00:00:00Z",
        "--env",
        &environment,
        "--env",
        "SHORT_SECRET=tiger",
    ]);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    assert_eq!(report["errors"], 0, "{report:#}");
    let warnings = report["configurations"][0]["warnings"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    warnings.map(|warning| (text(&warning["code"]), text(&warning["place"]))).collect()
}

/// The codes of docs/warnings.md.
fn documented_codes() -> Vec<String> {
    let page = fs::read_to_string(root().join("docs/warnings.md")).unwrap();
    let codes = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    codes.map(|(code, _)| code.to_owned()).collect()
}

fn shadow() -> Value {
    with_paths(json!([{"method": "GET", "path": "/a", "auth": true, "mode": "shadow"}]))
}

fn with_paths(paths: Value) -> Value {
    json!({"authorizer": authorizer(), "paths": paths})
}

/// A gateway with one route, and these members besides or instead.
fn with(members: Value) -> Value {
    let mut configuration = with_paths(json!([{"method": "GET", "path": "/a", "auth": true}]));
    configuration.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    configuration
}

/// A gateway whose authenticator has these members besides or instead.
fn authorized(members: Value) -> Value {
    let mut authorizer = authorizer();
    authorizer.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    with(json!({"authorizer": authorizer}))
}

/// A route below a protected prefix.
fn below(prefix: Value, route: Value) -> Value {
    with_paths(json!([prefix, route]))
}

fn api_keys(keys: Value) -> Value {
    json!({"type": "api_key", "keys": keys})
}

fn api_key(id: &str, digit: &str, expires_at: &str) -> Value {
    json!({"id": id, "sha256": digit.repeat(64), "expires_at": expires_at, "roles": ["reader"]})
}

fn generic(secret: Value) -> Value {
    json!({"type": "hmac", "scheme": "generic", "keys": [{"id": "a", "secret": secret}]})
}

fn introspection(members: Value) -> Value {
    let mut authenticator = json!({
        "type": "introspection", "url": "https://idp.example.com/introspect", "cluster": "idp", "client_id": "gateway",
        "client_secret": {"env": "LONG_SECRET"}, "audiences": ["api"],
    });
    authenticator.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    with(json!({"authorizer": authenticator}))
}

fn mapped(headers: Value, more: Value) -> Value {
    let mut configuration =
        with_paths(json!([{"method": "GET", "path": "/a", "auth": true, "mapping": {"headers": headers}}]));
    configuration.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    configuration
}

fn asking(authenticator: Value, auth: Value) -> Value {
    let mut auth = auth;
    auth["use"] = json!("default");
    json!({"authorizer": authenticator, "paths": [{"method": "GET", "path": "/a", "auth": auth}]})
}

/// One warning, its places, and a configuration that deserves it and no other (but for those with a code of their own).
fn deserved() -> Vec<(&'static str, Vec<&'static str>, Value)> {
    let protected = json!({"method": "ANY", "path": "/admin/{.+}", "auth": true});
    let certificates = |patterns: Value| with(json!({"authorizer": patterns}));
    vec![
        (
            "public-under-protected",
            vec!["paths[1].auth"],
            below(protected.clone(), json!({"method": "GET", "path": "/admin/health", "auth": false})),
        ),
        (
            "public-under-protected",
            vec!["paths[1].auth"],
            below(
                protected,
                json!({"method": "GET", "path": "/admin/{id}/x", "auth": {"use": "default", "optional": true}}),
            ),
        ),
        (
            "unreachable-route",
            vec!["path-policy-normalize@path_policy", "paths[1]"],
            json!({
                "authorizer": authorizer(),
                "path_policy": "normalize",
                "paths": [{"method": "GET", "path": "/{.+}", "auth": true}, {"method": "GET", "path": "/a;b", "auth": false}],
            }),
        ),
        (
            "never-authorized",
            vec!["paths[0].auth"],
            asking(api_keys(json!([api_key("ci", "a", "2030-01-01T00:00:00Z")])), json!({"roles": ["admin"]})),
        ),
        (
            "never-authorized",
            vec!["paths[0].auth"],
            asking(api_keys(json!([api_key("ci", "a", "2030-01-01T00:00:00Z")])), json!({"claims": {"tier": "gold"}})),
        ),
        (
            "never-authorized",
            vec!["paths[0].auth"],
            asking(json!({"type": "mtls", "uri_sans": ["spiffe://a/*"]}), json!({"scopes": ["a"]})),
        ),
        (
            "never-authorized",
            vec!["paths[0].auth"],
            json!({
                "authenticators": {
                    "one": authorizer(),
                    "other": {"type": "jwt", "issuer": "other", "audiences": ["api"], "secret": {"env": "LONG_SECRET"}},
                },
                "paths": [{"method": "GET", "path": "/a", "auth": {"all": ["one", "other"]}}],
            }),
        ),
        ("shadow-mode", vec!["mode"], with(json!({"mode": "shadow"}))),
        ("shadow-mode", vec!["paths[0].mode"], shadow()),
        ("unmatched-forward", vec!["unmatched"], with(json!({"unmatched": "forward"}))),
        ("path-policy-normalize", vec!["path_policy"], with(json!({"path_policy": "normalize"}))),
        (
            "override-header-allowed",
            vec!["allow_override_headers[0]"],
            with(json!({"allow_override_headers": ["X-HTTP-Method"]})),
        ),
        (
            "csrf-off",
            vec!["csrf"],
            json!({
                "authorizer": {"type": "jwt", "issuer": "a", "audiences": ["api"], "secret": {"env": "LONG_SECRET"}, "from": [{"cookie": "session"}]},
                "csrf": "off",
                "paths": [{"method": "GET", "path": "/a", "auth": true}],
            }),
        ),
        (
            "insecure-origin",
            vec!["csrf_origins[1]"],
            with(json!({"csrf_origins": ["https://a.example", "http://a.example:8080"]})),
        ),
        (
            "preflight-authenticated",
            vec!["cors_preflight"],
            with(json!({"cors_preflight": "authenticate", "responses": {"cors_origins": ["https://app.example.com"]}})),
        ),
        ("any-issuer", vec!["authorizer.issuer"], authorized(json!({"issuer": "*"}))),
        ("any-audience", vec!["authorizer.audiences"], authorized(json!({"audiences": "*"}))),
        ("any-audience", vec!["authorizer.audiences"], introspection(json!({"audiences": "*"}))),
        ("any-type", vec!["authorizer.types"], authorized(json!({"types": ["*"]}))),
        ("no-expiry", vec!["authorizer.require"], authorized(json!({"require": []}))),
        ("long-clock-skew", vec!["authorizer.clock_skew"], authorized(json!({"clock_skew": "301s"}))),
        (
            "first-source",
            vec!["authorizer.on_multiple"],
            authorized(
                json!({"on_multiple": "first_source", "from": [{"header": "authorization", "scheme": "Bearer"}, {"cookie": "session"}]}),
            ),
        ),
        ("forward-credential", vec!["authorizer.forward_credential"], authorized(json!({"forward_credential": true}))),
        ("credential-in-query", vec!["authorizer.from[0]"], authorized(json!({"from": [{"query": "access_token"}]}))),
        ("inline-secret", vec!["authorizer.client_secret"], introspection(json!({"client_secret": SECRET}))),
        ("inline-secret", vec!["authorizer.keys[0].secret"], with(json!({"authorizer": generic(json!(SECRET))}))),
        (
            "inline-secret",
            vec!["identity_token.key"],
            with(
                json!({"identity_token": {"header": "x-badge", "algorithm": "HS256", "key": SECRET, "audience": "a"}}),
            ),
        ),
        (
            "short-secret",
            vec!["authorizer.keys[0].secret"],
            with(json!({"authorizer": generic(json!({"env": "SHORT_SECRET"}))})),
        ),
        (
            "revocation-unavailable-allow",
            vec!["authorizer.revocation.unavailable"],
            revoked(json!({"unavailable": "allow"})),
        ),
        ("long-max-stale", vec!["authorizer.revocation.max_stale"], revoked(json!({"max_stale": "25h"}))),
        ("long-introspection-cache", vec!["authorizer.cache.ttl"], introspection(json!({"cache": {"ttl": "10m"}}))),
        (
            "long-tolerance",
            vec!["authorizer.tolerance"],
            with(
                json!({"authorizer": {"type": "hmac", "scheme": "slack", "secrets": [{"env": "LONG_SECRET"}], "tolerance": "10m"}}),
            ),
        ),
        ("weak-limit", vec!["rate_limit"], with(json!({"rate_limit": {"requests": 5000, "per": "1s"}}))),
        (
            "weak-limit",
            vec!["paths[0].rate_limit"],
            with_paths(
                json!([{"method": "GET", "path": "/a", "auth": true, "rate_limit": {"requests": 10, "per": "1ms", "by": "ip"}}]),
            ),
        ),
        (
            "limit-without-effect",
            vec!["paths[0].rate_limit"],
            with(json!({
                "rate_limit": {"requests": 10, "per": "1s"},
                "paths": [{"method": "GET", "path": "/a", "auth": true, "rate_limit": {"requests": 600, "per": "1m", "burst": 100}}],
            })),
        ),
        (
            "long-identity-token",
            vec!["identity_token.ttl"],
            with(
                json!({"identity_token": {"header": "x-badge", "algorithm": "HS256", "key": {"env": "LONG_SECRET"}, "audience": "a", "ttl": "10m"}}),
            ),
        ),
        (
            "open-certificate-pattern",
            vec!["authorizer.uri_sans[0]"],
            certificates(json!({"type": "mtls", "uri_sans": ["spiffe://prod*"]})),
        ),
        (
            "open-certificate-pattern",
            vec!["authorizer.dns_sans[0]"],
            certificates(json!({"type": "mtls", "dns_sans": ["orders.*"]})),
        ),
        (
            "api-key-expired",
            vec!["authorizer.keys"],
            with(
                json!({"authorizer": api_keys(json!([api_key("a", "a", "2030-01-01T00:00:00Z"), api_key("b", "b", "2026-05-31T00:00:00Z")]))}),
            ),
        ),
        (
            "api-key-expires-soon",
            vec!["authorizer.keys"],
            with(json!({"authorizer": api_keys(json!([api_key("a", "a", "2026-06-30T00:00:00Z")]))})),
        ),
        (
            "unused-authenticator",
            vec!["authorizer"],
            with_paths(json!([{"method": "GET", "path": "/a", "auth": false}])),
        ),
        (
            "trusted-header-mapped",
            vec!["paths[0].mapping.headers.X-Real-IP"],
            mapped(json!({"X-Real-IP": "$request.jwt.ip"}), json!({})),
        ),
        (
            "shared-header-mapped",
            vec!["paths[0].mapping.headers.x-forwarded-user"],
            mapped(json!({"x-forwarded-user": "$request.jwt.sub"}), json!({})),
        ),
        (
            "missing-source",
            vec!["paths[0].mapping.headers.x-b"],
            mapped(json!({"x-a": "a", "x-b": "$request.header.x-a"}), json!({})),
        ),
        ("missing-source", vec!["paths[0].mapping.headers.x-b"], mapped(json!({"x-b": "$identity.owner"}), json!({}))),
    ]
}

fn revoked(members: Value) -> Value {
    let mut revocation = json!({"url": "https://idp.example.com/revoked", "cluster": "idp"});
    revocation.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    authorized(json!({"revocation": revocation}))
}

/// What looks like one of the warnings, and deserves none.
fn harmless() -> Vec<Value> {
    let protected = json!({"method": "POST", "path": "/admin/{.+}", "auth": true});
    vec![
        // Public beside what is protected as a whole, and where another method or host is protected.
        with_paths(
            json!([{"method": "ANY", "path": "/{.+}", "auth": true}, {"method": "GET", "path": "/health", "auth": false}]),
        ),
        below(protected.clone(), json!({"method": "GET", "path": "/admin/health", "auth": false})),
        below(protected, json!({"method": "OPTIONS", "path": "/admin/health", "auth": false})),
        below(
            json!({"method": "ANY", "path": "/admin/{.+}", "hosts": ["admin.example.com"], "auth": true}),
            json!({"method": "GET", "path": "/admin/health", "auth": false}),
        ),
        with(json!({"csrf": "off", "cors_preflight": "authenticate"})),
        with(json!({"csrf_origins": ["http://localhost:3000"]})),
        authorized(json!({"audiences": "*", "claims": {"client_id": "a"}})),
        authorized(json!({"require": [], "max_lifetime": "1h"})),
        authorized(json!({"clock_skew": "300s", "on_multiple": "first_source"})),
        with(json!({"authorizer": {"type": "mtls", "uri_sans": ["spiffe://prod/ns/*"], "subjects": ["CN=orders*"]}})),
        with(json!({"authorizer": api_keys(json!([api_key("a", "a", "2026-08-01T00:00:00Z")]))})),
        // A role that some key has, of an alternative that any token may have.
        json!({
            "authenticators": {"users": authorizer(), "machines": api_keys(json!([api_key("a", "a", "2030-01-01T00:00:00Z")]))},
            "paths": [{"method": "GET", "path": "/a", "auth": {"any": ["machines", "users"], "roles": ["admin"]}}],
        }),
        mapped(json!({"x-forwarded-proto": "https"}), json!({})),
        mapped(json!({"x-forwarded-user": "$request.jwt.sub"}), json!({"identity_headers": ["x-forwarded-user"]})),
        mapped(json!({"x-language": "$request.header.accept-language"}), json!({})),
        mapped(json!({"x-a": {"value": "$identity.owner", "default": "nobody"}}), json!({})),
    ]
}
