mod api_keys;
mod providers;
#[cfg(not(target_arch = "wasm32"))]
mod schema;

use super::*;
use crate::test::test;

/// A configuration that is good, with `¤` where a member of the authenticator `users`, `§` where one of the only
/// route, and `¶` where one of the whole can be added.
const GOOD: &str = r#"{
    "authenticators": {"users": {"type": "jwt", "issuer": "https://idp", "audiences": ["api"],
                                 "secret": "0123456789abcdef0123456789abcdef" ¤}},
    "paths": [{"method": "GET", "path": "/x/{id}", "auth": true §}] ¶
}"#;

fn environment(name: &str) -> Option<String> {
    match name {
        "SECRET" => Some("from the environment, 32 bytes up".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn errors_of(text: &str) -> Vec<String> {
    let errors = load(text.as_bytes(), &environment).err().unwrap_or_default();
    #[cfg(not(target_arch = "wasm32"))]
    schema::assert_agrees(text, &errors);
    errors.iter().map(ToString::to_string).collect()
}

fn with(marker: char, addition: &str) -> String {
    let text = GOOD.replace(marker, addition);
    text.replace(['¤', '§', '¶'], "")
}

/// Each addition gives exactly one error, which begins with the text beside it.
fn each_gives(marker: char, cases: &[(&str, &str)]) {
    for (addition, expected) in cases {
        let errors = errors_of(&with(marker, addition));
        assert!(
            errors.len() == 1 && errors[0].starts_with(expected),
            "{addition}\n  expected {expected}\n  seen     {errors:?}"
        );
    }
}

test!(a_good_configuration_loads, {
    assert_eq!(errors_of(&with('¤', "")), Vec::<String>::new());
    for (marker, addition) in [
        ('¤', r#", "clock_skew": "0s", "require": [], "types": ["*"], "max_lifetime": "24h""#),
        ('¤', r#", "algorithms": ["HS256", "RS256"], "claims": {"tier": "gold", "level": [1, true]}, "dpop": "off""#),
        ('¤', r#", "from": [{"header": "authorization", "scheme": "Bearer"}, {"cookie": "s"}, {"query": "q"}]"#),
        ('§', r#", "mapping": {"headers": {"x-a": "$request.path.id"}, "query": {"b": {"value": "c", "as": "json"}}}"#),
        (
            '§',
            r#", "hosts": ["a.example", "*.internal"], "mode": "shadow", "integration": {"type": "http_proxy", "server": "c"}"#,
        ),
        ('¶', r#", "audit": {}"#),
        ('¶', r#", "audit": {"denied": false, "allowed": true}"#),
        ('¶', r#", "unmatched": "authenticate", "crypto": "sandbox", "cache": {"tokens": 1}, "csrf": "off""#),
        ('¶', r#", "identity_headers": ["x-user-*"], "identity_query": ["actor", "as_*"], "servers": []"#),
        (
            '¶',
            r#", "allow_override_headers": ["X-HTTP-Method-Override"], "responses": {"realm": "a", "format": "problem"}"#,
        ),
    ] {
        assert_eq!(errors_of(&with(marker, addition)), Vec::<String>::new(), "{addition}");
    }
});

test!(what_is_not_understood_is_refused, {
    each_gives(
        '¶',
        &[
            (r#", "path": []"#, "path: unknown key; there are authenticators, "),
            (r#", "rate_limit": 100"#, "rate_limit: must be an object"),
            (r#", "rate_limit": {"per": "1s"}"#, "rate_limit.requests: required"),
            (r#", "rate_limit": {"requests": 100}"#, "rate_limit.per: required"),
            (r#", "rate_limit": {"requests": 0, "per": "1s"}"#, "rate_limit.requests: must be a positive integer"),
            (r#", "rate_limit": {"requests": 1000000001, "per": "1s"}"#, "rate_limit.requests: must be at most"),
            (r#", "rate_limit": {"requests": 1, "per": "0s"}"#, "rate_limit.per: must be a time from 1ms"),
            (r#", "rate_limit": {"requests": 1, "per": "25h"}"#, "rate_limit.per: must be a time from 1ms"),
            (r#", "rate_limit": {"requests": 1, "per": 1}"#, "rate_limit.per: must be a duration"),
            (r#", "rate_limit": {"requests": 1, "per": "1s", "burst": 0}"#, "rate_limit.burst: must be a positive"),
            (r#", "rate_limit": {"requests": 1, "per": "1s", "by": "user"}"#, "rate_limit.by: must be one of identity"),
            (r#", "rate_limit": {"requests": 1, "per": "1s", "key": 1}"#, "rate_limit.key: unknown key; there are"),
            (r#", "limit_key": "yes""#, "limit_key: must be true or false"),
            (r#", "audit": true"#, "audit: must be an object"),
            (r#", "audit": {"denied": "yes"}"#, "audit.denied: must be true or false"),
            (r#", "audit": {"shadow_denied": true}"#, "audit.shadow_denied: unknown key; there are denied, allowed"),
            (r#", "crypto": "cloud""#, "crypto: must be one of sandbox, host"),
            (r#", "mode": null"#, "mode: null"),
            (r#", "mode": "enforce", "mode": "shadow""#, "mode: duplicate member"),
            (r#", "mode": "Enforce""#, "mode: must be one of enforce, shadow"),
            (r#", "unmatched": true"#, "unmatched: must be a string"),
            (r#", "cache": {"tokens": 0}"#, "cache.tokens: must be a positive integer"),
            (r#", "cache": {"tokens": 1.5}"#, "cache.tokens: must be a positive integer"),
            (r#", "variables": {"a": 1}"#, "variables.a: must be a string"),
            (r#", "default_auth": "user""#, "default_auth: no authenticator is named `user`"),
            (r#", "identity_headers": ["*"]"#, "identity_headers[0]: must be a name"),
            (r#", "identity_headers": ["x user"]"#, "identity_headers[0]: must be a name"),
            (r#", "identity_query": ["a", ""]"#, "identity_query[1]: must be a name"),
            (r#", "allow_override_headers": ["x-original-uri"]"#, "allow_override_headers[0]: must be one of"),
            (r#", "csrf_origins": ["https://a/"]"#, "csrf_origins[0]: must be an origin"),
            (r#", "csrf_origins": [], "csrf": "off""#, "csrf_origins: has no effect"),
            (r#", "responses": {"cors_origins": ["*"]}"#, "responses.cors_origins[0]: must be an origin"),
            (r#", "responses": {"realm": "a\nb"}"#, "responses.realm: must be printable"),
            (r#", "servers": [{"alias": "a"}, {"alias": "a"}]"#, "servers[1].alias: comes twice"),
            (r#", "servers": [{"alias": "a", "url": "ftp://x"}]"#, "servers[0].url: must be an http"),
            (r#", "servers": [{"alias": "a", "url": "https://u@x/"}]"#, "servers[0].url: must be an http"),
            (r#", "servers": [{"alias": "a", "url": "https://x/a/../b"}]"#, "servers[0].url: must be an http"),
            (
                r#", "default_auth": "users", "authorizer": {"type": "jwt", "issuer": "*", "audiences": "*"}"#,
                "authorizer: give exactly one of",
            ),
        ],
    );
});

test!(what_is_wrong_with_an_identity_token_is_told_and_its_key_is_not, {
    let identity_token = |members: &str| {
        let text = with('¶', &format!(r#", "identity_token": {{"header": "x-t", "audience": "a", {members}}}"#));
        errors_of(&text)
    };
    let pem = include_str!("../../tests/keys/ed1.pem").replace('\n', "\\n");
    for (members, expected) in [
        (
            r#""algorithm": "HS256", "key": "only 31 bytes, which is too few""#,
            "identity_token.key: 31 bytes are too few",
        ),
        (r#""algorithm": "HS256", "key": {"env": "EMPTY"}"#, "identity_token.key: the environment variable `EMPTY`"),
        (r#""algorithm": "ES256", "key": {"env": "SECRET"}"#, "identity_token.key: not one PEM block"),
        (&format!(r#""algorithm": "ES256", "key": "{pem}""#), "identity_token.key: not a key for ES256"),
    ] {
        let errors = identity_token(members);
        assert!(errors.len() == 1 && errors[0].starts_with(expected), "expected {expected}, seen {errors:?}");
        for secret in ["only 31", "from the environment,", "MC4C"] {
            assert!(!errors[0].contains(secret), "{errors:?}");
        }
    }
    assert_eq!(identity_token(r#""algorithm": "HS256", "key": {"env": "SECRET"}"#), Vec::<String>::new());
    assert_eq!(identity_token(&format!(r#""algorithm": "EdDSA", "key": "{pem}", "ttl": "1h""#)), Vec::<String>::new());
});

test!(authenticators_are_checked, {
    each_gives(
        '¤',
        &[
            (r#", "audience": []"#, "authenticators.users.audience: unknown key"),
            (
                r#", "dpop_origin": "https://a/""#,
                "authenticators.users.dpop_origin: must be an origin and nothing after it",
            ),
            (r#", "algorithms": []"#, "authenticators.users.algorithms: must not be empty"),
            (r#", "algorithms": ["none"]"#, "authenticators.users.algorithms[0]: must be one of HS256"),
            (r#", "algorithms": ["HS256", "hs384"]"#, "authenticators.users.algorithms[1]: must be one of"),
            (r#", "algorithms": ["RS256"]"#, "authenticators.users.algorithms: none of them"),
            (r#", "algorithms": ["HS512"]"#, "authenticators.users.secret: 32 bytes are too few for HS512"),
            (r#", "clock_skew": 60"#, "authenticators.users.clock_skew: must be a duration"),
            (r#", "clock_skew": "1d""#, "authenticators.users.clock_skew: must be a duration"),
            (r#", "max_lifetime": "0s""#, "authenticators.users.max_lifetime: must be longer"),
            (r#", "types": []"#, "authenticators.users.types: must not be empty"),
            (r#", "types": ["*", "JWT"]"#, "authenticators.users.types[0]: `*` accepts any"),
            (r#", "claims": {"a": []}"#, "authenticators.users.claims.a: must not be empty"),
            (r#", "claims": {"a": {}}"#, "authenticators.users.claims.a: must be a string"),
            (r#", "roles_claim": """#, "authenticators.users.roles_claim: must be the path"),
            (r#", "from": []"#, "authenticators.users.from: must not be empty"),
            (r#", "from": [{}]"#, "authenticators.users.from[0]: give exactly one"),
            (r#", "from": [{"cookie": "a", "query": "b"}]"#, "authenticators.users.from[0]: give exactly one"),
            (r#", "from": [{"cookie": "a", "scheme": "b"}]"#, "authenticators.users.from[0].scheme: only a header"),
            (r#", "from": [{"header": "a b"}]"#, "authenticators.users.from[0].header: must be a name"),
            (r#", "from": [{"header": "Cookie"}]"#, "authenticators.users.from[0].header: not a header"),
            (r#", "from": [{"query": "a"}, {"query": "a"}]"#, "authenticators.users.from[1]: comes twice"),
            (r#", "forward_credential": "yes""#, "authenticators.users.forward_credential: must be true or false"),
        ],
    );
});

test!(missing_and_wrong_members_of_authenticators_are_named, {
    for (authenticator, expected) in [
        (r#"{}"#, "type: required"),
        (r#"{"type": "saml"}"#, "type: must be one of jwt"),
        (r#"{"type": "api_key"}"#, "keys: required"),
        (r#"{"type": "api_key", "keys": []}"#, "keys: must not be empty"),
        (r#"{"type": "api_key", "keys": {}}"#, "keys: must be a list"),
        (r#"{"type": "hmac"}"#, "scheme: required"),
        (r#"{"type": "mtls"}"#, ": needs a pattern"),
        (r#"{"type": "mtls", "uri_sans": [], "dns_sans": [], "listener_validates": true}"#, ": needs a pattern"),
        (r#"{"type": "mtls", "uri_sans": ["spiffe://a/*", ""]}"#, "uri_sans[1]: must not be empty"),
        (r#"{"type": "mtls", "uri_sans": ["spiffe://*/ns/a"]}"#, "uri_sans[0]: must be printable ASCII"),
        (r#"{"type": "mtls", "dns_sans": ["a.example.com", "*.example.com"]}"#, "dns_sans[1]: must be printable ASCII"),
        (r#"{"type": "mtls", "dns_sans": ["a b"]}"#, "dns_sans[0]: must be printable ASCII"),
        (r#"{"type": "mtls", "subjects": ["CN=J\u00fcrgen"]}"#, "subjects[0]: must be printable ASCII, the rest"),
        (r#"{"type": "mtls", "fingerprints": ["ab*"]}"#, "fingerprints[0]: must be a SHA-256"),
        (r#"{"type": "mtls", "fingerprints": "ab"}"#, "fingerprints: must be a list"),
        (
            r#"{"type": "mtls", "uri_sans": ["a"], "from": [{"header": "x-forwarded-client-cert"}]}"#,
            "from: unknown key",
        ),
        (
            r#"{"type": "mtls", "uri_sans": ["a"], "listener_validates": 1}"#,
            "listener_validates: must be true or false",
        ),
        (r#"{"type": "jwt", "audiences": ["a"], "secret": "0123456789abcdef0123456789abcdef"}"#, "issuer: required"),
        (r#"{"type": "jwt", "issuer": "a", "secret": "0123456789abcdef0123456789abcdef"}"#, "audiences: required"),
        (
            r#"{"type": "jwt", "issuer": [], "audiences": "a", "secret": "0123456789abcdef0123456789abcdef"}"#,
            "issuer: must not be empty",
        ),
        (
            r#"{"type": "jwt", "issuer": ["*", "b"], "audiences": "a", "secret": "0123456789abcdef0123456789abcdef"}"#,
            "issuer[0]: `*` accepts any",
        ),
        (r#"{"type": "jwt", "issuer": "a", "audiences": "a", "secret": ""}"#, "secret: must not be empty"),
        (r#"{"type": "jwt", "issuer": "a", "audiences": "a", "secret": "short"}"#, "secret: 40 bits are too few"),
        (
            r#"{"type": "jwt", "issuer": "a", "audiences": "a", "secret": {"env": "EMPTY"}}"#,
            "secret: the environment variable `EMPTY`",
        ),
        (
            r#"{"type": "jwt", "issuer": "a", "audiences": "a", "secret": {"env": "UNSET"}}"#,
            "secret: the environment variable `UNSET`",
        ),
        (r#"{"type": "jwt", "issuer": "a", "audiences": "a", "secret": {"env": 1}}"#, "secret.env: must be a string"),
        (
            r#"{"type": "jwt", "issuer": "a", "audiences": "a", "secret": "*", "secret_base64": true}"#,
            "secret: must be base64",
        ),
        (
            r#"{"type": "jwt", "issuer": "a", "audiences": "a", "public_key_pem": "x"}"#,
            "public_key_pem: not one PEM block",
        ),
        (
            r#"{"type": "jwt", "issuer": "a", "audiences": "a", "jwks": {"inline": {"keys": []}}}"#,
            "jwks.inline.keys: must not be empty",
        ),
        (r#"{"type": "jwt", "issuer": "a", "audiences": "a", "jwks": {"inline": {}}}"#, "jwks.inline.keys: required"),
        (
            r#"{"type": "jwt", "issuer": "a", "audiences": "a", "jwks": {"inline": {"keys": [
                {"kty": "oct", "k": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}, {"kty": "RSA", "e": "AQAB", "n": "a+b"}]}}}"#,
            "jwks.inline.keys[1].n: not base64url",
        ),
    ] {
        let text = format!(
            "{{\"authorizer\": {authenticator}, \"paths\": [{{\"method\": \"GET\", \"path\": \"/\", \"auth\": true}}]}}"
        );
        let errors = errors_of(&text);
        let expected = format!("authorizer.{expected}").replace(".:", ":");
        assert!(errors.len() == 1 && errors[0].starts_with(&expected), "{authenticator}\n  {expected}\n  {errors:?}");
    }
});

test!(routes_are_checked, {
    let another = |route: &str| format!(r#"}}, {{"method": "GET", "auth": true, {route}"#);
    each_gives(
        '§',
        &[
            (r#", "rate_limit": {"requests": 1}"#, "paths[0].rate_limit.per: required"),
            (r#", "hosts": []"#, "paths[0].hosts: must not be empty"),
            (r#", "hosts": ["a:80"]"#, "paths[0].hosts[0]: must be a host name"),
            (r#", "hosts": ["*"]"#, "paths[0].hosts[0]: must be a host name"),
            (r#", "hosts": ["a", "A"]"#, "paths[0].hosts[1]: comes twice"),
            (r#", "encoded_slash": true"#, "paths[0].encoded_slash: must be a string"),
            (r#", "integration": {"type": "http_proxy"}"#, "paths[0].integration.server: required"),
            (
                r#", "integration": {"type": "lambda", "server": "a"}"#,
                "paths[0].integration.type: must be one of http_proxy",
            ),
            (r#", "mapping": {"header": {}}"#, "paths[0].mapping.header: unknown key"),
            (r#", "mapping": {"headers": {"x a": "b"}}"#, "paths[0].mapping.headers.x a: must be a header name"),
            (r#", "mapping": {"headers": {":path": "b"}}"#, "paths[0].mapping.headers.:path: a header that frames"),
            (r#", "mapping": {"headers": {"Host": "b"}}"#, "paths[0].mapping.headers.Host: a header that frames"),
            (
                r#", "mapping": {"headers": {"x_envoy_a": "b"}}"#,
                "paths[0].mapping.headers.x_envoy_a: a header that frames",
            ),
            (
                r#", "mapping": {"headers": {"x-gatepost-cluster": "b"}}"#,
                "paths[0].mapping.headers.x-gatepost-cluster: a header",
            ),
            (r#", "mapping": {"headers": {"x-a": "b", "X_A": "c"}}"#, "paths[0].mapping.headers.X_A: comes twice"),
            (r#", "mapping": {"headers": {"x-a": "b\n"}}"#, "paths[0].mapping.headers.x-a: must be free of control"),
            (r#", "mapping": {"query": {"a.b": "1", "A_B": "2"}}"#, "paths[0].mapping.query.A_B: comes twice"),
            (
                r#", "mapping": {"query": {"a": "$request.body"}}"#,
                "paths[0].mapping.query.a: unknown source `request.body`",
            ),
            (r#", "mapping": {"query": {"a": "$config.zone"}}"#, "paths[0].mapping.query.a: undefined variable `zone`"),
            (
                r#", "mapping": {"query": {"a": "$request.path.name"}}"#,
                "paths[0].mapping.query.a: the path has no parameter",
            ),
            (
                r#", "mapping": {"query": {"a": "$request.auth.x.sub"}}"#,
                "paths[0].mapping.query.a: `x` is no authenticator",
            ),
            (
                r#", "mapping": {"query": {"a": {"value": "b", "as": "xml"}}}"#,
                "paths[0].mapping.query.a.as: must be one of",
            ),
            (r#", "mapping": {"query": {"a": {"as": "csv"}}}"#, "paths[0].mapping.query.a.value: required"),
            (
                r#", "mapping": {"query": {"a": {"value": "b", "default": "c", "required": true}}}"#,
                "paths[0].mapping.query.a: a value with a default",
            ),
            (&another(r#""path": "/x/{name}""#), "paths[1]: cannot be told apart from paths[0]"),
            (&another(r#""path": "x""#), "paths[1].path: a path begins"),
            (&another(r#""path": "/{.+}/x""#), "paths[1].path: `{.+}` can only be"),
            (&another(r#""path": "/a/../b""#), "paths[1].path: no request can have this path"),
        ],
    );
});

test!(methods_and_auth_are_checked, {
    let users = with('¤', "");
    for (from, to, expected) in [
        ("\"GET\"", "\"get\"", "paths[0].method: must be a method in upper case"),
        ("\"GET\"", "[]", "paths[0].method: must not be empty"),
        ("\"GET\"", "[\"GET\", \"GET\"]", "paths[0].method: comes twice"),
        ("\"GET\"", "[\"GET\", \"ANY\"]", "paths[0].method: ANY serves every method"),
        ("\"GET\"", "\"CONNECT\"", "paths[0].method: CONNECT has no path"),
        ("\"auth\": true", "\"auht\": true", "paths[0].auht: unknown key"),
        ("\"auth\": true", "\"auth\": \"user\"", "paths[0].auth: no authenticator is named `user`"),
        ("\"auth\": true", "\"auth\": null", "paths[0].auth: null"),
        ("\"auth\": true", "\"auth\": 1", "paths[0].auth: must be true, false"),
        ("\"auth\": true", "\"auth\": {}", "paths[0].auth: give exactly one"),
        ("\"auth\": true", "\"auth\": {\"use\": \"users\", \"any\": [\"users\"]}", "paths[0].auth: give exactly one"),
        ("\"auth\": true", "\"auth\": {\"any\": []}", "paths[0].auth.any: must not be empty"),
        ("\"auth\": true", "\"auth\": {\"any\": [\"users\", \"x\"]}", "paths[0].auth.any[1]: no authenticator"),
        (
            "\"auth\": true",
            "\"auth\": {\"all\": [{\"any\": [\"x\"]}]}",
            "paths[0].auth.all[0].any[0]: no authenticator",
        ),
        ("\"auth\": true", "\"auth\": {\"use\": \"users\", \"roles\": []}", "paths[0].auth.roles: must not be empty"),
        (
            "\"auth\": true",
            "\"auth\": {\"use\": \"users\", \"scopes\": [\"\"]}",
            "paths[0].auth.scopes[0]: must be one scope",
        ),
        (
            "\"auth\": true",
            "\"auth\": {\"use\": \"users\", \"optional\": true, \"roles\": [\"a\"]}",
            "paths[0].auth.optional: a caller without",
        ),
        (
            "\"auth\": true",
            "\"auth\": {\"any\": [{\"use\": \"users\", \"optional\": true}]}",
            "paths[0].auth.any[0].optional: unknown",
        ),
    ] {
        assert!(users.contains(from));
        let errors = errors_of(&users.replace(from, to));
        let found = errors.iter().any(|error| error.starts_with(expected));
        let known = errors.iter().all(|error| error.starts_with(expected) || error == "paths[0].auth: required");
        assert!(found && known, "{to}\n  expected {expected}\n  seen     {errors:?}");
    }
});

test!(every_error_is_named_at_once, {
    let text = r#"{
        "authenticators": {"users": {"type": "jwt", "issuer": "i", "audiences": ["a"], "secret": "short"}},
        "default_auth": "nobody", "unknown": 1, "mode": null,
        "paths": [{"method": "GET", "path": "/a"}, {"method": "GET", "path": "b", "auth": "ghost"},
                  {"method": "GET", "path": "/c", "auth": "users", "mapping": {"headers": {"x-a": "$config.b"}}}]
    }"#;
    let errors = errors_of(text);
    for expected in [
        "mode: null",
        "unknown: unknown key",
        "authenticators.users.secret: 40 bits",
        "default_auth: no authenticator",
        "paths[0].auth: required",
        "paths[1].auth: no authenticator",
        "paths[1].path: a path begins",
        "paths[2].mapping.headers.x-a: undefined variable",
    ] {
        assert!(errors.iter().any(|error| error.starts_with(expected)), "{expected} is not in {errors:#?}");
    }
    assert_eq!(errors.len(), 8, "{errors:#?}");
});

test!(several_authenticators_need_a_default, {
    let two = GOOD.replace(
        "\"paths\"",
        "\"authorizer\": {\"type\": \"jwt\", \"issuer\": \"*\", \"audiences\": \"*\", \
        \"secret\": {\"env\": \"SECRET\"}}, \"paths\"",
    );
    let text = two.replace(['¤', '§', '¶'], "");
    assert_eq!(errors_of(&text).len(), 1);
    assert!(errors_of(&text)[0].starts_with("paths[0].auth: there are several"));
    let named = two.replace('¶', ", \"default_auth\": \"default\"").replace(['¤', '§'], "");
    assert_eq!(errors_of(&named), Vec::<String>::new());
});

test!(one_error_hides_no_other, {
    let text = r#"{
        "authorizer": {"type": "jwt", "audiences": ["a", "*"], "secret": "short", "public_key_pem": "x"},
        "responses": {"realm": ""}, "csrf_origins": ["x"], "allow_override_headers": ["x"], "cache": {"tokens": 2000000},
        "servers": [{"cluster": "", "url": "x"}],
        "paths": [{"method": "get", "path": "nope", "hosts": [], "mapping": {"query": {"a": {"value": "$b", "as": "c"}}}},
                  {"method": "GET", "path": "/x", "auth": {"any": [], "roles": [""]}}]
    }"#;
    let errors = errors_of(text);
    for expected in [
        "authorizer.issuer: required",
        "authorizer: give exactly one of",
        "authorizer.audiences[1]: `*`",
        "authorizer.secret: 40 bits",
        "authorizer.public_key_pem: not one PEM",
        "responses.realm: must be",
        "csrf_origins[0]: must be",
        "allow_override_headers[0]: must be",
        "cache.tokens: must be at most",
        "servers[0].alias: required",
        "servers[0].cluster: must be",
        "servers[0].url: must be",
        "paths[0].auth: required",
        "paths[0].method: must be",
        "paths[0].path: a path begins",
        "paths[0].hosts: must not be empty",
        "paths[0].mapping.query.a.value: unknown source",
        "paths[0].mapping.query.a.as: must be one of",
        "paths[1].auth.any: must not be empty",
        "paths[1].auth.roles[0]: must be a role",
    ] {
        assert!(errors.iter().any(|error| error.starts_with(expected)), "{expected} is not in {errors:#?}");
    }
    assert_eq!(errors.len(), 20, "{errors:#?}");
});

test!(no_secret_is_in_an_error, {
    let secret = "swordfish";
    for text in [
        format!(
            r#"{{"authorizer": {{"type": "jwt", "issuer": "i", "audiences": "a", "secret": "{secret}"}}, "paths": []}}"#
        ),
        format!(r#"{{"authorizer": {{"type": "jwt", "secret": ["{secret}"]}}, "paths": []}}"#),
        format!(r#"{{"secret": "{secret}", "#),
    ] {
        for error in errors_of(&text) {
            assert!(!error.contains(secret), "{error}");
        }
    }
});

test!(what_is_not_json_says_where, {
    assert_eq!(errors_of("{\n  \"paths\": [}"), ["not JSON: line 2, column 13"]);
    assert_eq!(errors_of("[]"), ["must be an object"]);
    assert_eq!(errors_of("{}"), ["paths: required"]);
});
