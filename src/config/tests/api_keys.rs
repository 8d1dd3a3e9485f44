use super::*;

const DIGEST: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

/// The errors of a configuration with these keys, without the place of the list.
fn errors_of_keys(keys: &str) -> Vec<String> {
    let errors = errors_of(&format!(
        r#"{{"authorizer": {{"type": "api_key", "keys": [{keys}]}}, "paths": [{{"method": "GET", "path": "/", "auth": true}}]}}"#
    ));
    let place = |error: String| error.strip_prefix("authorizer.keys").unwrap_or(&error).to_owned();
    errors.into_iter().map(place).collect()
}

/// A key with more members.
fn key(more: &str) -> String {
    format!(r#"{{"id": "ci", "sha256": "{DIGEST}"{more}}}"#)
}

test!(good_keys_load, {
    let other = r#", {"id": "deploy", "sha256": "FCDE2B2EDBA56BF408601FB721FE9B5C338D10EE429EA04FAE5511B68FBF8FB9"}"#;
    for (more, others) in [
        ("", ""),
        (
            r#", "owner": "acme", "scopes": ["orders:read", "a"], "roles": ["ci"], "expires_at": "2027-01-01T00:00:00Z""#,
            "",
        ),
        (r#", "owner": "Müller & Söhne", "scopes": [], "roles": [], "expires_at": "2027-01-01T01:00:00.5+01:00""#, ""),
        // One that has expired is good to configure: it says `expired_api_key` rather than `unknown_api_key`.
        (r#", "expires_at": "1999-12-31T23:59:59Z""#, other),
    ] {
        assert_eq!(errors_of_keys(&format!("{}{others}", key(more))), Vec::<String>::new(), "{more}");
    }
});

test!(each_mistake_in_a_key_is_told_with_its_place, {
    let digest = format!(r#""sha256": "{DIGEST}""#);
    for (keys, expected) in [
        (format!("{{{digest}}}"), "[0].id: required"),
        (format!(r#"{{"id": "", {digest}}}"#), "[0].id: must not be empty"),
        (format!(r#"{{"id": 7, {digest}}}"#), "[0].id: must be a string"),
        (format!(r#"{{"id": "a\nb", {digest}}}"#), "[0].id: must be free of control characters"),
        (format!(r#"{{"id": " a", {digest}}}"#), "[0].id: must be free of control characters"),
        (r#"{"id": "ci"}"#.to_owned(), "[0].sha256: required"),
        (r#"{"id": "ci", "sha256": 7}"#.to_owned(), "[0].sha256: must be the SHA-256 of a key"),
        (format!(r#"{{"id": "ci", "sha256": "{}"}}"#, &DIGEST[1..]), "[0].sha256: must be the SHA-256 of a key"),
        (format!(r#"{{"id": "ci", "sha256": "{DIGEST}0"}}"#), "[0].sha256: must be the SHA-256 of a key"),
        (format!(r#"{{"id": "ci", "sha256": "{DIGEST}00"}}"#), "[0].sha256: must be the SHA-256 of a key"),
        (
            format!(r#"{{"id": "ci", "sha256": "{}"}}"#, DIGEST.replace('2', "g")),
            "[0].sha256: must be the SHA-256 of a key",
        ),
        (
            format!(r#"{{"id": "ci", "sha256": "{}"}}"#, DIGEST.replace("2c", "+c")),
            "[0].sha256: must be the SHA-256 of a key",
        ),
        (
            r#"{"id": "ci", "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}"#.to_owned(),
            "[0].sha256: must be the SHA-256 of a key; this is that of an empty one",
        ),
        (key(r#", "owner": """#), "[0].owner: must not be empty"),
        (key(r#", "owner": ["acme"]"#), "[0].owner: must be a string"),
        (key(r#", "owner": "a\u0007""#), "[0].owner: must be free of control characters"),
        (key(r#", "scopes": "read""#), "[0].scopes: must be a list"),
        (key(r#", "scopes": ["read write"]"#), "[0].scopes[0]: must be one scope"),
        (key(r#", "scopes": ["read", ""]"#), "[0].scopes[1]: must be one scope"),
        (key(r#", "roles": [""]"#), "[0].roles[0]: must be a role"),
        (key(r#", "roles": [1]"#), "[0].roles[0]: must be a string"),
        (key(r#", "expires_at": 1800000000"#), "[0].expires_at: must be a time such as"),
        (key(r#", "expires_at": "2027-01-01""#), "[0].expires_at: must be a time such as"),
        (key(r#", "expires_at": "2027-02-29T00:00:00Z""#), "[0].expires_at: must be a time such as"),
        (key(r#", "expires_at": "1969-12-31T23:59:59Z""#), "[0].expires_at: must be a time such as"),
        (key(r#", "rate_limit": {"requests": 600}"#), "[0].rate_limit.per: required"),
        (key(r#", "rate_limit": {"requests": 0, "per": "1m"}"#), "[0].rate_limit.requests: must be a positive"),
        // Whose requests count is no question: the key's.
        (key(r#", "rate_limit": {"requests": 1, "per": "1m", "by": "ip"}"#), "[0].rate_limit.by: unknown key"),
        (key(r#", "key": "s3cr3t""#), "[0].key: unknown key; there are id, sha256, owner, scopes, roles, expires_at"),
        (r#""s3cr3t""#.to_owned(), "[0]: must be an object"),
        (format!(r#"{}, {{"id": "ci", "sha256": "{}"}}"#, key(""), DIGEST.replace('2', "3")), "[1].id: comes twice"),
        // Upper case and lower case are one digest.
        (
            format!(r#"{}, {{"id": "deploy", "sha256": "{}"}}"#, key(""), DIGEST.to_ascii_uppercase()),
            "[1].sha256: comes twice",
        ),
    ] {
        let errors = errors_of_keys(&keys);
        assert!(errors.len() == 1 && errors[0].starts_with(expected), "{keys}\n  {expected}\n  {errors:?}");
    }
});

test!(all_mistakes_in_keys_are_told_at_once, {
    let keys = format!(
        r#"{{"id": "", "sha256": "x", "owner": "", "scopes": [""], "roles": [""], "expires_at": ""}}, {}, {}, {{}}"#,
        key(""),
        key("")
    );
    let mut errors = errors_of_keys(&keys);
    errors.iter_mut().for_each(|error| error.truncate(error.find(':').unwrap()));
    let expected = [
        "[0].sha256",
        "[0].expires_at",
        "[0].id",
        "[0].owner",
        "[0].scopes[0]",
        "[0].roles[0]",
        "[2].id",
        "[2].sha256",
        "[3].id",
        "[3].sha256",
    ];
    assert_eq!(errors, expected);
});

test!(where_keys_are_looked_for_is_checked, {
    let errors = |members: &str| {
        errors_of(&format!(
            r#"{{"authorizer": {{"type": "api_key", "keys": [{}], {members}}}, "paths": [{{"method": "GET", "path": "/", "auth": true}}]}}"#,
            key("")
        ))
    };
    for members in [
        r#""from": [{"header": "x-api-key"}, {"query": "api_key"}, {"cookie": "key"}], "on_multiple": "first_source""#,
        r#""from": [{"header": "authorization", "scheme": "ApiKey"}], "forward_credential": true"#,
    ] {
        assert_eq!(errors(members), Vec::<String>::new(), "{members}");
    }
    for (members, expected) in [
        (r#""from": []"#, "authorizer.from: must not be empty"),
        (r#""from": [{"header": "host"}]"#, "authorizer.from[0].header: not a header"),
        (r#""issuer": "a""#, "authorizer.issuer: unknown key; there are type, keys, from"),
        (r#""clock_skew": "1s""#, "authorizer.clock_skew: unknown key"),
        (r#""secret": "s3cr3t""#, "authorizer.secret: unknown key"),
    ] {
        let errors = errors(members);
        assert!(errors.len() == 1 && errors[0].starts_with(expected), "{members}\n  {expected}\n  {errors:?}");
    }
});
