use super::errors_of;
use crate::test::test;

/// The errors of a configuration with this authenticator, their common beginning off.
fn errors(authenticator: &str) -> Vec<String> {
    let route = r#"{"method": "GET", "path": "/", "auth": true}"#;
    let errors = errors_of(&format!("{{\"authorizer\": {authenticator}, \"paths\": [{route}]}}"));
    errors.into_iter().map(|error| error.trim_start_matches("authorizer.").to_owned()).collect()
}

/// Exactly one error, which begins so, or none at all where nothing is expected.
fn gives(authenticator: &str, expected: &str) {
    let errors = errors(authenticator);
    let good = match errors.as_slice() {
        [] => expected.is_empty(),
        [error] => !expected.is_empty() && error.starts_with(expected),
        _ => false,
    };
    assert!(good, "{authenticator}\n  expected {expected}\n  seen     {errors:?}");
}

test!(key_sets_of_providers_are_checked, {
    const REMOTE: &str = r#""url": "https://idp/jwks", "cluster": "idp""#;
    const DISCOVERY: &str = r#""issuer": "https://idp/", "cluster": "idp""#;
    for (jwks, expected) in [
        (format!(r#""remote": {{{REMOTE}}}"#), ""),
        (
            format!(r#""remote": {{{REMOTE}, "timeout": "1s", "refresh": "1m", "max_stale": "1h", "cooldown": "5s"}}"#),
            "",
        ),
        (format!(r#""remote": {{{REMOTE}, "max_stale": "100ms"}}"#), ""),
        (format!(r#""discovery": {{{DISCOVERY}, "jwks_cluster": "keys", "timeout": "500ms"}}"#), ""),
        (String::new(), "jwks: give exactly one of `inline`, `remote` and `discovery`"),
        (format!(r#""inline": {{"keys": []}}, "remote": {{{REMOTE}}}"#), "jwks: give exactly one"),
        (r#""remote": []"#.to_owned(), "jwks.remote: must be an object"),
        (r#""remote": {"cluster": "idp"}"#.to_owned(), "jwks.remote.url: required"),
        (r#""remote": {"url": "https://idp/jwks"}"#.to_owned(), "jwks.remote.cluster: required"),
        (
            r#""remote": {"url": "https://idp/jwks", "cluster": ""}"#.to_owned(),
            "jwks.remote.cluster: must not be empty",
        ),
        (
            r#""remote": {"url": "idp/jwks", "cluster": "idp"}"#.to_owned(),
            "jwks.remote.url: must be an http or https URL",
        ),
        (format!(r#""remote": {{{REMOTE}, "cooldown": "0s"}}"#), "jwks.remote.cooldown: must be longer than zero"),
        (format!(r#""remote": {{{REMOTE}, "refresh": "9999999h"}}"#), "jwks.remote.refresh: must be 100ms at least"),
        (format!(r#""remote": {{{REMOTE}, "timeout": 5}}"#), "jwks.remote.timeout: must be a duration"),
        (
            format!(r#""remote": {{{REMOTE}, "timeout": "2m"}}"#),
            "jwks.remote.timeout: must be longer than zero, and 1m",
        ),
        (format!(r#""remote": {{{REMOTE}, "issuer": "x"}}"#), "jwks.remote.issuer: unknown key"),
        (r#""discovery": {"cluster": "idp"}"#.to_owned(), "jwks.discovery.issuer: required"),
        (r#""discovery": {"issuer": "https://idp"}"#.to_owned(), "jwks.discovery.cluster: required"),
        (
            r#""discovery": {"issuer": "https://idp?x=1", "cluster": "idp"}"#.to_owned(),
            "jwks.discovery.issuer: must be an http or https URL",
        ),
        (
            format!(r#""discovery": {{{DISCOVERY}, "jwks_cluster": ""}}"#),
            "jwks.discovery.jwks_cluster: must not be empty",
        ),
    ] {
        gives(&format!(r#"{{"type": "jwt", "issuer": "i", "audiences": "a", "jwks": {{{jwks}}}}}"#), expected);
    }
    // What the keys will be is not known: any algorithm may be asked for.
    let algorithms = r#""algorithms": ["HS256", "ES256"]"#;
    gives(
        &format!(
            r#"{{"type": "jwt", "issuer": "i", "audiences": "a", {algorithms}, "jwks": {{"remote": {{{REMOTE}}}}}}}"#
        ),
        "",
    );
});

test!(revocation_is_checked, {
    const LIST: &str = r#""url": "https://idp/revoked", "cluster": "idp""#;
    for (revocation, expected) in [
        (format!("{{{LIST}}}"), ""),
        (
            format!(
                r#"{{{LIST}, "timeout": "1s", "refresh": "5s", "max_stale": "1h", "by": "sid", "unavailable": "allow"}}"#
            ),
            "",
        ),
        (format!(r#"{{{LIST}, "by": "jti", "unavailable": "deny"}}"#), ""),
        (r#"{"cluster": "idp"}"#.to_owned(), "revocation.url: required"),
        ("[]".to_owned(), "revocation: must be an object"),
        ("null".to_owned(), "revocation: "),
        (r#"{"url": "https://idp/revoked"}"#.to_owned(), "revocation.cluster: required"),
        (r#"{"url": "/revoked", "cluster": "idp"}"#.to_owned(), "revocation.url: must be an http or https URL"),
        (r#"{"url": "https://idp/revoked", "cluster": ""}"#.to_owned(), "revocation.cluster: must not be empty"),
        (format!(r#"{{{LIST}, "by": "email"}}"#), "revocation.by: must be one of"),
        (format!(r#"{{{LIST}, "by": ["jti", "sub"]}}"#), "revocation.by: must be"),
        (format!(r#"{{{LIST}, "unavailable": "open"}}"#), "revocation.unavailable: must be one of"),
        (format!(r#"{{{LIST}, "refresh": "0s"}}"#), "revocation.refresh: must be 100ms at least"),
        (format!(r#"{{{LIST}, "max_stale": "99ms"}}"#), "revocation.max_stale: must be 100ms at least"),
        (format!(r#"{{{LIST}, "timeout": "0s"}}"#), "revocation.timeout: must be longer than zero"),
        (format!(r#"{{{LIST}, "cooldown": "5s"}}"#), "revocation.cooldown: unknown key"),
    ] {
        let secret = r#""secret": "at least 32 bytes, and kept secret""#;
        let members = format!(r#""issuer": "i", "audiences": "a", {secret}, "revocation": {revocation}"#);
        gives(&format!(r#"{{"type": "jwt", {members}}}"#), expected);
    }
});

test!(introspection_is_checked, {
    const GOOD: &str =
        r#""url": "https://idp/introspect", "cluster": "idp", "client_id": "gateway", "client_secret": "s""#;
    for (members, expected) in [
        (format!(r#"{GOOD}, "audiences": "a""#), ""),
        (format!(r#"{GOOD}, "audiences": "*", "cache": {{"ttl": "0s", "negative_ttl": "0s", "entries": 1}}"#), ""),
        (format!(r#"{GOOD}, "audiences": "a", "issuer": ["i"], "timeout": "1s", "scopes_claim": "scp""#), ""),
        (GOOD.to_owned(), "audiences: required"),
        (format!(r#"{GOOD}, "audiences": []"#), "audiences: must not be empty"),
        (format!(r#"{GOOD}, "audiences": "a", "secret": "x""#), "secret: unknown key"),
        (format!(r#"{GOOD}, "audiences": "a", "timeout": "0s""#), "timeout: must be longer than zero"),
        (
            format!(r#"{GOOD}, "audiences": "a", "cache": {{"entries": 0}}"#),
            "cache.entries: must be a positive integer",
        ),
        (format!(r#"{GOOD}, "audiences": "a", "cache": {{"entries": 9000000}}"#), "cache.entries: must be at most"),
        (format!(r#"{GOOD}, "audiences": "a", "from": []"#), "from: must not be empty"),
        (format!(r#"{}, "audiences": "a""#, GOOD.replace("\"s\"", "\"\"")), "client_secret: must not be empty"),
        (
            format!(r#"{}, "audiences": "a""#, GOOD.replace("\"s\"", r#"{"env": "UNSET"}"#)),
            "client_secret: the environment variable `UNSET`",
        ),
        (format!(r#"{}, "audiences": "a""#, GOOD.replace("gateway", "")), "client_id: must not be empty"),
        (format!(r#"{}, "audiences": "a""#, GOOD.replace("https:", "ftp:")), "url: must be an http or https URL"),
    ] {
        gives(&format!(r#"{{"type": "introspection", {members}}}"#), expected);
    }
});
