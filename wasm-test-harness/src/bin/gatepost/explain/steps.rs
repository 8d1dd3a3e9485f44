//! What was found out on the way to a decision.

use gatepost::engine::{Decision, Engine, Head, Step, UnixTime};

/// One thing that was found out.
pub struct Finding {
    /// What was looked at.
    pub step: &'static str,
    pub text: String,
}

/// Decides, and tells each step.
pub fn decide(mut engine: Engine, head: &Head, now: UnixTime) -> (Decision, Vec<Finding>) {
    let (decision, steps) = engine.explain(head, now);
    (decision, steps.into_iter().map(finding).collect())
}

fn finding(step: Step) -> Finding {
    let (step, text) = match step {
        Step::Path(path) => ("path", path),
        Step::Host(host) => ("host", host),
        Step::Route(route) => ("route", route),
        Step::Preflight => ("preflight", "a CORS preflight: no credential is asked for".to_owned()),
        Step::Unmatched => ("route", "none".to_owned()),
        Step::Authenticator { name, refused: None } => ("authenticator", format!("{name}: verified")),
        Step::Authenticator { name, refused: Some(reason) } => ("authenticator", format!("{name}: {reason}")),
        Step::Anonymous => ("caller", "anonymous: no credential came, and none is needed".to_owned()),
        Step::Verified { authenticator, roles, scopes } => {
            ("caller", format!("verified by {authenticator}, roles: {roles}, scopes: {scopes}"))
        }
    };
    Finding { step, text }
}
