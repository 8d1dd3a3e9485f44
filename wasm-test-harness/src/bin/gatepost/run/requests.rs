//! The demo's three requests: what to send, what to expect, and whether it came.

use std::fmt::Write as _;
use std::net::SocketAddr;

use serde_json::Value;

use super::client::{self, Answer};
use crate::failure::{Failure, print};

/// A request to try, and its promise.
pub struct DemoRequest {
    title: &'static str,
    target: &'static str,
    headers: Vec<(String, String)>,
    expected: Expected,
}

enum Expected {
    /// The service receives this target and these headers, and no `Authorization`.
    Received { target: &'static str, headers: [(&'static str, &'static str); 2] },
    /// The gateway answers by itself.
    Refused { status: u16, error: &'static str },
}

/// The three requests.
pub fn all(token: &str) -> [DemoRequest; 3] {
    let authorization = ("authorization".to_owned(), format!("Bearer {token}"));
    let as_user = || Expected::Received {
        target: "/orders/7?source=web&actor=user-1",
        headers: [("x-user-id", "user-1"), ("x-region", "eu-west-1")],
    };
    [
        DemoRequest {
            title: "With a token of user-1",
            target: "/proxy/orders/7?source=web",
            headers: vec![authorization.clone()],
            expected: as_user(),
        },
        DemoRequest {
            title: "The same token, and a forged identity: nothing of it arrives",
            target: "/proxy/orders/7?source=web&actor=admin",
            headers: vec![authorization, ("x-user-id".to_owned(), "admin".to_owned())],
            expected: as_user(),
        },
        DemoRequest {
            title: "Without a token",
            target: "/proxy/orders/7?source=web",
            headers: Vec::new(),
            expected: Expected::Refused { status: 401, error: "missing_credential" },
        },
    ]
}

/// What the person at the terminal can paste.
pub fn instructions(requests: &[DemoRequest], gateway: SocketAddr) -> String {
    let mut text = format!("\ngatepost is running in Envoy on http://{gateway}. Ctrl-C ends it. Try:\n");
    for (number, request) in (1..).zip(requests) {
        let _ = write!(text, "\n# {number}. {}\ncurl -i 'http://{gateway}{}'", request.title, request.target);
        for (name, value) in &request.headers {
            let _ = write!(text, " \\\n  -H '{name}: {value}'");
        }
        let _ = writeln!(text, "\n#    expect {}", request.expected.sentence());
    }
    text.push('\n');
    text
}

/// Sends all requests and compares.
pub async fn verify(requests: &[DemoRequest], gateway: SocketAddr) -> Result<(), Failure> {
    let mut failed = 0_usize;
    for (number, request) in (1..).zip(requests) {
        let mut text = format!("{number}. {}\n   GET {}\n", request.title, request.target);
        let mistakes = match client::get(gateway, request.target, &request.headers).await {
            Ok(answer) => {
                let _ = writeln!(text, "   answer: {}", answer.status);
                for line in answer.body.lines() {
                    let _ = writeln!(text, "     {line}");
                }
                request.expected.mistakes(&answer)
            }
            Err(error) => vec![format!("no answer: {error}")],
        };
        if mistakes.is_empty() {
            let _ = writeln!(text, "   as expected: {}", request.expected.sentence());
        } else {
            failed += 1;
            for mistake in mistakes {
                let _ = writeln!(text, "   WRONG: {mistake}");
            }
        }
        print(&text);
    }
    if failed == 0 {
        return Ok(());
    }
    Err(Failure::Invalid(format!("{failed} of {} requests did not end as expected", requests.len())))
}

impl Expected {
    fn sentence(&self) -> String {
        match self {
            Self::Received { target, headers } => {
                let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                format!("200: the service receives {target} with {}, and no Authorization", headers.join(", "))
            }
            Self::Refused { status, error } => {
                format!("{status} {error} with a WWW-Authenticate challenge; the service receives nothing")
            }
        }
    }

    fn mistakes(&self, answer: &Answer) -> Vec<String> {
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let mut mistakes = Vec::new();
        let mut expect = |what: &str, expected: &str, found: &str| {
            if expected != found {
                mistakes.push(format!("{what} is `{found}`, not `{expected}`"));
            }
        };
        match self {
            Self::Received { target, headers } => {
                expect("the status", "200", &answer.status.to_string());
                expect("the target", target, received_target(&body));
                for (name, value) in headers {
                    expect(name, value, &received_header(&body, name));
                }
                // Not compared, so that nobody's token is printed.
                if !received_header(&body, "authorization").is_empty() {
                    mistakes.push("authorization reached the service".to_owned());
                }
            }
            Self::Refused { status, error } => {
                expect("the status", &status.to_string(), &answer.status.to_string());
                expect("the error", error, body["error"].as_str().unwrap_or_default());
                let challenge = answer.header("www-authenticate").unwrap_or_default();
                expect("the challenge's scheme", "Bearer", challenge.split(' ').next().unwrap_or_default());
            }
        }
        mistakes
    }
}

/// The request target in the echo service's answer.
fn received_target(echo: &Value) -> &str {
    echo["path"].as_str().unwrap_or_default()
}

/// All values of a header in the echo service's answer, joined.
fn received_header(echo: &Value, name: &str) -> String {
    let values = echo["headers"].as_array().into_iter().flatten().filter(|field| field[0] == name);
    values.filter_map(|field| field[1].as_str()).collect::<Vec<_>>().join(", ")
}
