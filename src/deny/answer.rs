//! What a refused caller is answered: status, headers and body, or a gRPC status.

use std::time::Duration;

use super::{Challenge, Code};
use crate::{credential::scheme, crypto::Algorithm, limit::Limit};

/// A status of gRPC and its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrpcStatus {
    /// One of <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>.
    pub code: u8,
    /// The code of the denial.
    pub message: &'static str,
}

/// An answer that the gateway gives itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// What a gRPC caller gets instead of status and body.
    pub grpc: Option<GrpcStatus>,
}

/// How answers are written: the configuration's `responses`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Responses {
    /// The `realm` of challenges (RFC 9110 §11.5).
    pub realm: Option<String>,
    /// The form of the body.
    pub format: Format,
    /// The URL of the protected resource metadata (RFC 9728 §5.1).
    pub resource_metadata: Option<String>,
    /// Origins whose scripts may read a denial.
    pub cors_origins: Vec<String>,
}

/// The form of a denial's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `{"error": ..., "error_description": ...}`
    #[default]
    Json,
    /// Problem details (RFC 9457).
    Problem,
}

/// A denial with what its answer depends on.
#[derive(Clone, Debug, Default)]
pub struct Circumstances<'a> {
    /// The authentication schemes of the route, for the challenge.
    pub schemes: Vec<&'static str>,
    /// All scopes that the route asks for.
    pub scopes: &'a [String],
    /// The methods that the path serves.
    pub allow: Option<String>,
    /// How long to wait before another try.
    pub retry_after: Option<Duration>,
    /// The limits that are exceeded.
    pub limits: &'a [(Limit, Duration)],
    /// The `Origin` of the request.
    pub origin: Option<&'a [u8]>,
    /// Whether the request is a gRPC call.
    pub grpc: bool,
    /// Whether the token is good, and its DPoP proof is not.
    pub proof_failed: bool,
}

impl Answer {
    /// The answer to a refused request. Nothing of the request is in it, but a listed origin.
    #[must_use]
    pub fn new(code: Code, responses: &Responses, circumstances: &Circumstances<'_>) -> Self {
        let mut headers = Vec::new();
        let mut header = |name: &str, value: String| headers.push((name.to_owned(), value));
        let (media_type, body) = match responses.format {
            Format::Json => ("application/json", json_body(code)),
            Format::Problem => ("application/problem+json", problem_body(code)),
        };
        if !circumstances.grpc {
            header("content-type", media_type.to_owned());
        }
        header("cache-control", "no-store".to_owned());
        if let Some(allow) = &circumstances.allow {
            header("allow", allow.clone());
        }
        if let Some(wait) = circumstances.retry_after {
            header("retry-after", whole_seconds(wait).to_string());
        }
        if !circumstances.limits.is_empty() {
            header("ratelimit-policy", rate_limit_policies(circumstances.limits));
            header("ratelimit", rate_limits(circumstances.limits));
        }
        if code.challenge() != Challenge::Never {
            for scheme in &circumstances.schemes {
                header("www-authenticate", challenge(scheme, code, responses, circumstances));
            }
        }
        let listed = responses.cors_origins.iter().find(|origin| Some(origin.as_bytes()) == circumstances.origin);
        if let Some(origin) = listed {
            header("access-control-allow-origin", origin.clone());
            header("access-control-expose-headers", exposed_headers(code).to_owned());
        }
        if !responses.cors_origins.is_empty() {
            // For unlisted origins as well: a cache must not give one origin the answer for another.
            header("vary", "Origin".to_owned());
        }
        Self { status: code.status(), headers, body, grpc: circumstances.grpc.then(|| code.grpc_status()) }
    }
}

/// What scripts of a listed origin may read of an answer besides its body.
fn exposed_headers(code: Code) -> &'static str {
    match code {
        Code::RateLimited => "Retry-After, RateLimit, RateLimit-Policy",
        _ => "WWW-Authenticate",
    }
}

/// `RateLimit-Policy`: how many requests pass in how many seconds (draft-ietf-httpapi-ratelimit-headers-10 §3). A time of
/// no whole number of seconds is told as a multiple of it.
fn rate_limit_policies(limits: &[(Limit, Duration)]) -> String {
    let policy = |(limit, _): &(Limit, Duration)| {
        let millis = limit.rate.per.as_millis();
        let times = (1..=1000_u128).find(|times| millis.saturating_mul(*times).is_multiple_of(1000)).unwrap_or(1);
        let quota = u128::from(limit.rate.requests.get()).saturating_mul(times);
        let window = millis.saturating_mul(times).checked_div(1000).unwrap_or_default();
        format!("\"{}\";q={quota};w={window}", limit.name)
    };
    limits.iter().map(policy).collect::<Vec<_>>().join(", ")
}

/// `RateLimit`: nothing remains, for so many seconds (draft-ietf-httpapi-ratelimit-headers-10 §4).
fn rate_limits(limits: &[(Limit, Duration)]) -> String {
    let limits = limits.iter().map(|(limit, wait)| format!("\"{}\";r=0;t={}", limit.name, whole_seconds(*wait)));
    limits.collect::<Vec<_>>().join(", ")
}

/// Seconds, rounded up: a delay is a whole number of them (RFC 9110 §10.2.3).
fn whole_seconds(wait: Duration) -> u128 {
    wait.as_nanos().div_ceil(1_000_000_000)
}

impl Code {
    /// The status that a gRPC call ends with.
    #[must_use]
    pub fn grpc_status(self) -> GrpcStatus {
        let code = match self.status() {
            401 => 16,            // UNAUTHENTICATED
            403 => 7,             // PERMISSION_DENIED
            404 | 405 => 5,       // NOT_FOUND
            413 | 429 | 431 => 8, // RESOURCE_EXHAUSTED
            408 | 503 => 14,      // UNAVAILABLE
            _ => 3,               // INVALID_ARGUMENT
        };
        GrpcStatus { code, message: self.name() }
    }

    fn title(self) -> &'static str {
        match self.status() {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            413 => "Content Too Large",
            429 => "Too Many Requests",
            431 => "Request Header Fields Too Large",
            _ => "Service Unavailable",
        }
    }
}

/// A challenge (RFC 9110 §11.6.1) with the attributes of RFC 6750 §3, RFC 9449 §7.1 and RFC 9728 §5.1.
fn challenge(scheme: &str, code: Code, responses: &Responses, circumstances: &Circumstances<'_>) -> String {
    let mut attributes = Vec::new();
    let mut attribute = |name: &str, value: &str| attributes.push(format!("{name}=\"{}\"", escaped(value)));
    if let Some(realm) = &responses.realm {
        attribute("realm", realm);
    }
    if scheme == scheme::DPOP {
        let algorithms = Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric());
        attribute("algs", &algorithms.map(Algorithm::name).collect::<Vec<_>>().join(" "));
    }
    // What was wrong with a token, or a proof, says nothing to callers of other schemes.
    let error = match code.challenge() {
        Challenge::Never | Challenge::Bare => None,
        Challenge::Error(_) if circumstances.proof_failed => {
            (scheme == scheme::DPOP).then_some(("invalid_dpop_proof", "The DPoP proof is not valid"))
        }
        Challenge::Error("invalid_token") if matches!(scheme, scheme::API_KEY | scheme::HMAC_SHA256) => None,
        Challenge::Error(error) => Some((error, code.description())),
    };
    if let Some((error, description)) = error {
        attribute("error", error);
        attribute("error_description", description);
    }
    if code == Code::InsufficientScope {
        attribute("scope", &circumstances.scopes.join(" "));
    }
    if let Some(url) = &responses.resource_metadata {
        attribute("resource_metadata", url);
    }
    if attributes.is_empty() {
        return scheme.to_owned();
    }
    format!("{scheme} {}", attributes.join(", "))
}

/// The content of a quoted string (RFC 9110 §5.6.4).
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

// Names and descriptions hold nothing that JSON would escape; a test makes sure.
fn json_body(code: Code) -> String {
    format!("{{\"error\":\"{}\",\"error_description\":\"{}\"}}", code.name(), code.description())
}

fn problem_body(code: Code) -> String {
    format!(
        "{{\"type\":\"about:blank\",\"title\":\"{}\",\"status\":{},\"detail\":\"{}\",\"error\":\"{}\"}}",
        code.title(),
        code.status(),
        code.description(),
        code.name()
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::deny::Reason;
    use crate::{json::Json, test::test};

    fn answer(code: Code, responses: &Responses) -> Answer {
        let scopes = ["orders:read".to_owned(), "orders:write".to_owned()];
        let circumstances = Circumstances {
            schemes: vec!["Bearer"],
            scopes: &scopes,
            origin: Some(b"https://app.example.com"),
            ..Circumstances::default()
        };
        Answer::new(code, responses, &circumstances)
    }

    fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
        let mut headers = answer.headers.iter();
        headers.find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    test!(labels_are_distinct_and_bodies_are_json, {
        let labels: HashSet<_> = Reason::all().map(Reason::label).collect();
        assert_eq!(labels.len(), Reason::all().count());
        for reason in Reason::all() {
            for format in [Format::Json, Format::Problem] {
                let responses = Responses { format, ..Responses::default() };
                let answer = answer(reason.code(), &responses);
                let body = Json::parse_strict_object(answer.body.as_bytes(), 2).unwrap();
                assert_eq!(body.get("error").and_then(Json::as_str), Some(reason.code().name()));
                assert!(answer.status >= 400);
            }
        }
    });

    test!(a_missing_credential_gets_the_bare_challenge, {
        let responses = Responses { realm: Some("a\"b".to_owned()), ..Responses::default() };
        let bare = answer(Code::MissingCredential, &responses);
        assert_eq!(header(&bare, "www-authenticate"), Some("Bearer realm=\"a\\\"b\""));
        let bare = answer(Code::MissingCredential, &Responses::default());
        assert_eq!(header(&bare, "www-authenticate"), Some("Bearer"));
    });

    test!(a_dpop_challenge_names_algorithms_and_what_is_wrong_with_the_proof, {
        let responses = Responses { realm: Some("api".to_owned()), ..Responses::default() };
        let challenges = |code, proof_failed| {
            let circumstances =
                Circumstances { schemes: vec!["Bearer", "DPoP"], proof_failed, ..Circumstances::default() };
            let answer = Answer::new(code, &responses, &circumstances);
            let challenges = answer.headers.into_iter().filter(|(name, _)| name == "www-authenticate");
            challenges.map(|(_, value)| value).collect::<Vec<_>>()
        };
        let algorithms = r#"algs="RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA""#;
        assert_eq!(
            challenges(Code::MissingCredential, false),
            [r#"Bearer realm="api""#, &format!(r#"DPoP realm="api", {algorithms}"#)]
        );
        let invalid = r#"error="invalid_token", error_description="The access token is not valid""#;
        assert_eq!(
            challenges(Code::InvalidToken, false),
            [format!(r#"Bearer realm="api", {invalid}"#), format!(r#"DPoP realm="api", {algorithms}, {invalid}"#)]
        );
        let invalid = r#"error="invalid_dpop_proof", error_description="The DPoP proof is not valid""#;
        assert_eq!(
            challenges(Code::InvalidToken, true),
            [r#"Bearer realm="api""#.to_owned(), format!(r#"DPoP realm="api", {algorithms}, {invalid}"#)]
        );
    });

    test!(a_missing_scope_is_named, {
        let answer = answer(Code::InsufficientScope, &Responses::default());
        assert_eq!(
            header(&answer, "www-authenticate"),
            Some(
                "Bearer error=\"insufficient_scope\", error_description=\"The caller lacks a scope that this needs\", \
                 scope=\"orders:read orders:write\""
            )
        );
    });

    test!(listed_origins_may_read_a_denial, {
        let listed = Responses { cors_origins: vec!["https://app.example.com".to_owned()], ..Responses::default() };
        let answer_to_listed = answer(Code::NoRoute, &listed);
        assert_eq!(header(&answer_to_listed, "access-control-allow-origin"), Some("https://app.example.com"));
        let other = Responses { cors_origins: vec!["https://b".to_owned()], ..Responses::default() };
        let answer_to_other = answer(Code::NoRoute, &other);
        assert_eq!(header(&answer_to_other, "access-control-allow-origin"), None);
        assert_eq!(header(&answer_to_other, "vary"), Some("Origin"));
    });
}
