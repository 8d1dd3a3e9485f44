//! The account of one decision, as text and as JSON.

use std::fmt;

use gatepost::engine::{Answer, Reason, Verdict};
use serde_json::{Value, json};

use super::account::Account;
use super::redact::Redaction;
use super::request::{Change, Field, Request};
use super::steps::{Explained, Finding, finding};

/// What happened, fit to be printed.
pub struct Report {
    request: String,
    findings: Vec<Finding>,
    account: Account,
    route: Option<String>,
    authenticator: Option<String>,
    reason: Option<Reason>,
    shadow: bool,
    outcome: Outcome,
}

enum Outcome {
    Forwarded { line: String, authority: String, fields: Vec<Shown>, query: Query },
    Answered { status: u16, headers: Vec<(String, String)>, body: String, grpc: Option<(u8, String)> },
    Waits { calls: Vec<String> },
}

/// What became of the query's parameters, after redaction.
struct Query {
    added: Vec<String>,
    removed: Vec<String>,
}

/// A header field after redaction.
struct Shown {
    name: String,
    value: String,
    change: Change,
}

impl Report {
    pub fn new(request: &Request, explained: Explained, mut account: Account, redaction: &Redaction) -> Self {
        let Explained { decision, steps, unanswered } = explained;
        let findings = account.merge(steps.into_iter().map(finding).collect());
        let outcome = match &decision.verdict {
            Verdict::Forward(edits) => forwarded(request, &request.edited(edits), redaction),
            Verdict::Deny(answer) => answered(answer),
            Verdict::Wait => Outcome::Waits { calls: unanswered },
        };
        let record = &decision.record;
        let redacted = |finding: Finding| Finding { text: redaction.text(&finding.text), ..finding };
        Self {
            request: format!("{} {}", request.value(":method"), redaction.target(&request.value(":path"))),
            findings: findings.into_iter().map(redacted).collect(),
            account,
            route: record.route.as_deref().map(str::to_owned),
            authenticator: record.authenticator.as_deref().map(str::to_owned),
            reason: record.reason,
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
            "reason": self.reason.map(Reason::label),
            "reason_meaning": self.reason.map(|reason| reason.explanation().0),
            "reason_remedy": self.reason.map(|reason| reason.explanation().1),
            "reason_documentation": self.reason.map(documentation),
            "shadow": self.shadow,
        });
        for (name, value) in self.account.to_json() {
            json[name] = value;
        }
        match &self.outcome {
            Outcome::Forwarded { line, authority, fields, query } => {
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
                    "query": {"added": query.added, "removed": query.removed},
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
        if let Some(reason) = self.reason {
            let (meaning, remedy) = reason.explanation();
            writeln!(out, "{:<15}{reason} ({})", "reason", documentation(reason))?;
            writeln!(out, "{:<15}{meaning} {remedy}", "")?;
        }
        if self.shadow {
            writeln!(out, "{:<15}shadow: refused, and forwarded all the same", "mode")?;
        }
        match &self.outcome {
            Outcome::Forwarded { line, authority, fields, query } => {
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
                for (parameters, sign) in [(&query.added, '+'), (&query.removed, '-')] {
                    parameters.iter().try_for_each(|parameter| writeln!(out, "{sign} ?{parameter}"))?;
                }
                writeln!(out, "(+ set by gatepost, - removed, ? in the query)")
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

/// Where a reason is explained.
fn documentation(reason: Reason) -> String {
    format!("docs/denials/{}.md#{}", reason.code().name(), reason.label())
}

fn forwarded(request: &Request, fields: &[Field], redaction: &Redaction) -> Outcome {
    let pseudo = |name: &str| {
        let value = fields.iter().rfind(|field| field.name == name && field.is_present());
        value.map(|field| redaction.header(name, &field.value)).unwrap_or_default()
    };
    Outcome::Forwarded {
        line: format!("{} {}", pseudo(":method"), pseudo(":path")),
        authority: pseudo(":authority"),
        query: query(&redaction.target(&request.value(":path")), &pseudo(":path")),
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

/// The parameters in which two targets differ.
fn query(before: &str, after: &str) -> Query {
    let pieces = |target: &str| -> Vec<String> {
        let query = target.split_once('?').map_or("", |(_, query)| query);
        query.split(['&', ';']).filter(|piece| !piece.is_empty()).map(str::to_owned).collect()
    };
    let (mut removed, mut added) = (pieces(before), pieces(after));
    added.retain(|piece| match removed.iter().position(|other| other == piece) {
        Some(index) => {
            removed.remove(index);
            false
        }
        None => true,
    });
    Query { added, removed }
}

fn answered(answer: &Answer) -> Outcome {
    Outcome::Answered {
        status: answer.status,
        headers: answer.headers.clone(),
        body: answer.body.clone(),
        grpc: answer.grpc.as_ref().map(|grpc| (grpc.code, grpc.message.to_owned())),
    }
}
