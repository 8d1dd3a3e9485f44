//! The account of one decision, as text and as JSON.

use std::fmt;

use gatepost::engine::{Answer, Verdict};
use serde_json::{Value, json};

use super::redact::Redaction;
use super::request::{Change, Field, Request};
use super::steps::{Explained, Finding};

/// What happened, fit to be printed.
pub struct Report {
    request: String,
    findings: Vec<Finding>,
    route: Option<String>,
    authenticator: Option<String>,
    reason: Option<String>,
    shadow: bool,
    outcome: Outcome,
}

enum Outcome {
    Forwarded { line: String, authority: String, fields: Vec<Shown> },
    Answered { status: u16, headers: Vec<(String, String)>, body: String, grpc: Option<(u8, String)> },
    Waits { calls: Vec<String> },
}

/// A header field after redaction.
struct Shown {
    name: String,
    value: String,
    change: Change,
}

impl Report {
    pub fn new(request: &Request, explained: Explained, redaction: &Redaction) -> Self {
        let Explained { decision, findings, unanswered } = explained;
        let outcome = match &decision.verdict {
            Verdict::Forward(edits) => forwarded(&request.edited(edits), redaction),
            Verdict::Deny(answer) => answered(answer),
            Verdict::Wait => Outcome::Waits { calls: unanswered },
        };
        let record = &decision.record;
        let redacted = |finding: Finding| Finding { text: redaction.text(&finding.text), ..finding };
        Self {
            request: format!("{} {}", request.value(":method"), redaction.target(&request.value(":path"))),
            findings: findings.into_iter().map(redacted).collect(),
            route: record.route.as_deref().map(str::to_owned),
            authenticator: record.authenticator.as_deref().map(str::to_owned),
            reason: record.reason.as_ref().map(ToString::to_string),
            shadow: record.shadow,
            outcome,
        }
    }

    pub fn is_forwarded(&self) -> bool {
        matches!(self.outcome, Outcome::Forwarded { .. })
    }

    pub fn to_json(&self) -> Value {
        let steps: Vec<_> =
            self.findings.iter().map(|finding| json!({"step": finding.step, "finding": finding.text})).collect();
        let mut json = json!({
            "request": self.request,
            "steps": steps,
            "route": self.route,
            "authenticator": self.authenticator,
            "reason": self.reason,
            "shadow": self.shadow,
        });
        match &self.outcome {
            Outcome::Forwarded { line, authority, fields } => {
                let list = |wanted: &[Change]| -> Vec<Value> {
                    fields
                        .iter()
                        .filter(|field| wanted.contains(&field.change))
                        .map(|field| json!({"name": field.name, "value": field.value}))
                        .collect()
                };
                json["verdict"] = json!("forward");
                json["forwarded"] = json!({
                    "request": line,
                    "authority": authority,
                    "headers": list(&[Change::Kept, Change::Added]),
                    "added": list(&[Change::Added]),
                    "removed": list(&[Change::Removed]),
                });
            }
            Outcome::Answered { status, headers, body, grpc } => {
                let headers: Vec<_> =
                    headers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
                json["verdict"] = json!("deny");
                json["answer"] = json!({"status": status, "headers": headers, "body": body});
                if let Some((code, message)) = grpc {
                    json["answer"]["grpc"] = json!({"code": code, "message": message});
                }
            }
            Outcome::Waits { calls } => {
                json["verdict"] = json!("wait");
                json["calls"] = json!(calls);
            }
        }
        json
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{:<15}{}", "request", self.request)?;
        for finding in &self.findings {
            writeln!(out, "{:<15}{}", finding.step, finding.text)?;
        }
        if let Some(reason) = &self.reason {
            writeln!(out, "{:<15}{reason}", "reason")?;
        }
        if self.shadow {
            writeln!(out, "{:<15}shadow: refused, and forwarded all the same", "mode")?;
        }
        match &self.outcome {
            Outcome::Forwarded { line, authority, fields } => {
                writeln!(out, "{:<15}forward\n\nThe service would receive:", "verdict")?;
                writeln!(out, "  {line}\n  host: {authority}")?;
                for field in fields.iter().filter(|field| field.change == Change::Kept) {
                    writeln!(out, "  {}: {}", field.name, field.value)?;
                }
                for (change, sign) in [(Change::Added, '+'), (Change::Removed, '-')] {
                    for field in fields.iter().filter(|field| field.change == change) {
                        writeln!(out, "{sign} {}: {}", field.name, field.value)?;
                    }
                }
                writeln!(out, "(+ set by gatepost, - removed)")
            }
            Outcome::Answered { status, headers, body, grpc } => {
                writeln!(out, "{:<15}deny\n\nThe caller would receive:\n  {status}", "verdict")?;
                for (name, value) in headers {
                    writeln!(out, "  {name}: {value}")?;
                }
                if let Some((code, message)) = grpc {
                    writeln!(out, "  grpc-status: {code}\n  grpc-message: {message}")?;
                }
                if body.is_empty() { Ok(()) } else { writeln!(out, "\n  {body}") }
            }
            Outcome::Waits { calls } => {
                writeln!(out, "{:<15}wait\n\nThe gateway would ask (`--answer URL=FILE` gives an answer):", "verdict")?;
                calls.iter().try_for_each(|call| writeln!(out, "  {call}"))
            }
        }
    }
}

fn forwarded(fields: &[Field], redaction: &Redaction) -> Outcome {
    let pseudo = |name: &str| {
        let value = fields.iter().rfind(|field| field.name == name && field.is_present());
        value.map(|field| redaction.header(name, &field.value)).unwrap_or_default()
    };
    Outcome::Forwarded {
        line: format!("{} {}", pseudo(":method"), pseudo(":path")),
        authority: pseudo(":authority"),
        fields: fields
            .iter()
            .filter(|field| !field.name.starts_with(':'))
            .map(|field| Shown {
                name: field.name.clone(),
                value: redaction.header(&field.name, &field.value),
                change: field.change,
            })
            .collect(),
    }
}

fn answered(answer: &Answer) -> Outcome {
    Outcome::Answered {
        status: answer.status,
        headers: answer.headers.clone(),
        body: answer.body.clone(),
        grpc: answer.grpc.as_ref().map(|grpc| (grpc.code, grpc.message.to_owned())),
    }
}
