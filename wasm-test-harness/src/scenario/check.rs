//! Compares what was seen with what was promised.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    format::{Deny, ExpectedOutcome, Forward, Step},
    identity::IdentitySet,
    observed::{Answer, Observed, Received, Sent, values},
    placeholder::Placeholders,
    text::Expected,
};
use crate::host::is_joined;

/// One step's comparison.
pub(super) struct Check<'a> {
    pub(super) step: &'a Step,
    pub(super) sent: &'a Sent,
    pub(super) placeholders: &'a Placeholders<'a>,
    pub(super) identity: &'a IdentitySet,
}

impl Check<'_> {
    /// What differs, one line each; nothing where the promise holds.
    pub(super) fn differences(&self, observed: &Observed) -> Vec<String> {
        match (&self.step.outcome, observed) {
            (ExpectedOutcome::Forward(forward), Observed::Forwarded(received)) => self.forwarded(forward, received),
            (ExpectedOutcome::Deny(deny), Observed::Answered(answer)) => self.denied(deny, answer),
            (ExpectedOutcome::Forward(_), Observed::Answered(answer)) => {
                vec![format!("expected it to be forwarded; the caller was told {}", describe(answer))]
            }
            (ExpectedOutcome::Deny(deny), Observed::Forwarded(received)) => {
                let path = String::from_utf8_lossy(&received.path).into_owned();
                let mut lines =
                    vec![format!("expected {}; it was FORWARDED as {} {path}", promised(deny), received.method)];
                lines.extend(self.unexpected_identity(&Forward::default(), received));
                lines
            }
            (_, Observed::Neither(why)) => vec![why.clone()],
        }
    }

    fn forwarded(&self, forward: &Forward, received: &Received) -> Vec<String> {
        let mut lines = Vec::new();
        let path =
            forward.path.as_ref().map_or_else(|| Ok(self.sent.path.clone()), |path| self.placeholders.bytes(path));
        match path {
            Ok(path) if path != received.path => lines.push(differ("path", &path, &received.path)),
            Ok(_) => {}
            Err(error) => lines.push(error),
        }
        let method = forward.method.as_ref().unwrap_or(&self.sent.method);
        if *method != received.method {
            lines.push(differ("method", method.as_bytes(), received.method.as_bytes()));
        }
        if let Some(authority) = &forward.authority
            && *authority != received.authority
        {
            lines.push(differ("authority", authority.as_bytes(), received.authority.as_bytes()));
        }
        lines.extend(self.fields("header", &forward.headers, &forward.absent, &received.headers));
        lines.extend(self.fields("trailer", &forward.trailers, &forward.absent_trailers, &received.trailers));
        let body = self.sent.body();
        if body != received.body {
            lines.push(format!(
                "body: expected {} bytes as sent, the service received {}",
                body.len(),
                received.body.len()
            ));
        }
        lines.extend(self.unexpected_identity(forward, received));
        lines
    }

    /// The universal promise, on every forward.
    fn unexpected_identity(&self, forward: &Forward, received: &Received) -> Vec<String> {
        let expected = |expected: &BTreeMap<String, Expected>, name: &str| {
            expected.keys().any(|expected| expected.eq_ignore_ascii_case(name))
        };
        let headers = received.headers.iter().filter(|(name, _)| !expected(&forward.headers, name));
        let trailers = received.trailers.iter().filter(|(name, _)| !expected(&forward.trailers, name));
        let bad = headers.chain(trailers).filter(|(name, value)| self.identity.holds(name, value));
        bad.map(|(name, value)| format!("identity that nobody promised reached the service: {name}: {}", show(value)))
            .collect()
    }

    fn denied(&self, deny: &Deny, answer: &Answer) -> Vec<String> {
        let mut lines = Vec::new();
        match (&deny.grpc, &answer.grpc) {
            (Some(grpc), Some((status, message))) if (grpc.status, &grpc.message) == (*status, message) => {}
            (None, None) => {}
            (Some(_), _) | (None, Some(_)) => {
                lines.push(format!("expected {}, the caller was told {}", promised(deny), describe(answer)));
            }
        }
        if let Some(status) = deny.status
            && status != answer.status
        {
            lines.push(format!("expected {}, the caller was told {}", promised(deny), describe(answer)));
        }
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if let Some(code) = &deny.error
            && body["error"] != code.as_str()
        {
            lines.push(format!("error: expected {code:?}, the body is {}", show(&answer.body)));
        }
        for (name, expected) in deny.body.as_ref().and_then(Value::as_object).into_iter().flatten() {
            if body.get(name).unwrap_or(&Value::Null) != expected {
                lines.push(format!("body.{name}: expected {expected}, the body is {}", show(&answer.body)));
            }
        }
        lines.extend(self.fields("header", &deny.headers, &deny.absent, &answer.headers));
        lines
    }

    /// What differs between fields and what is expected of them.
    pub(super) fn fields(
        &self,
        what: &str,
        expected: &BTreeMap<String, Expected>,
        absent: &[String],
        actual: &[(String, Vec<u8>)],
    ) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, expected) in expected {
            let joined = is_joined(&name.to_ascii_lowercase());
            if let Err(line) = self.field(expected, &values(actual, name), joined) {
                lines.push(format!("{what} {name}: {line}"));
            }
        }
        for name in absent {
            if let Some(value) = values(actual, name).first() {
                lines.push(format!("{what} {name}: expected none, there is {}", show(value)));
            }
        }
        lines
    }

    /// Whether values are what is expected, and else what is.
    pub(super) fn field(&self, expected: &Expected, actual: &[&[u8]], joined: bool) -> Result<(), String> {
        let (wanted, holds) = match expected {
            Expected::Exactly(text) => {
                let wanted = self.placeholders.bytes(text)?;
                (show(&wanted), *actual == [wanted.as_slice()])
            }
            Expected::Values(texts) => {
                let wanted = texts.iter().map(|text| self.placeholders.bytes(text)).collect::<Result<Vec<_>, _>>()?;
                let shown = wanted.iter().map(|value| show(value)).collect::<Vec<_>>().join(" and ");
                // Envoy joins the repeats of some names; the values are the same (RFC 9110 §5.3).
                let as_one = joined && *actual == [wanted.join(b",".as_slice()).as_slice()];
                (shown, as_one || wanted.iter().map(Vec::as_slice).eq(actual.iter().copied()))
            }
            Expected::Contains(text) => {
                let text = self.placeholders.expand(text)?;
                let holds = matches!(actual, [one] if String::from_utf8_lossy(one).contains(&text));
                (format!("one that holds {text:?}"), holds)
            }
            Expected::Json(json) => {
                let parsed = actual.first().and_then(|value| serde_json::from_slice::<Value>(value).ok());
                (json.to_string(), actual.len() == 1 && parsed.as_ref() == Some(json))
            }
            Expected::Jwt(token) => return token.check(actual, self.placeholders),
        };
        if holds {
            return Ok(());
        }
        let actual = actual.iter().map(|value| show(value)).collect::<Vec<_>>().join(" and ");
        Err(format!("expected {wanted}, there is {}", if actual.is_empty() { "none" } else { &actual }))
    }
}

/// Bytes for a reader: text where they are text.
pub(super) fn show(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("b\"{}\"", bytes.escape_ascii()),
    }
}

fn differ(what: &str, expected: &[u8], actual: &[u8]) -> String {
    format!("{what}: expected {}, the service received {}", show(expected), show(actual))
}

fn promised(deny: &Deny) -> String {
    match (&deny.grpc, deny.status) {
        (Some(grpc), _) => format!("gRPC {} {:?}", grpc.status, grpc.message),
        (None, status) => format!("{} {}", status.unwrap_or(0), deny.error.as_deref().unwrap_or("")),
    }
}

fn describe(answer: &Answer) -> String {
    let grpc = answer.grpc.as_ref().map(|(status, message)| format!(" gRPC {status} {message:?}")).unwrap_or_default();
    format!("{}{grpc} {}", answer.status, show(&answer.body))
}
