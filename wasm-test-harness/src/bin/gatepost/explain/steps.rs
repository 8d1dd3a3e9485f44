//! What was found out on the way to a decision.

use gatepost::{
    engine::{Decision, Engine, Head, Step, UnixTime, Verdict},
    host::NoHost,
};

use super::providers::Answers;

/// One thing that was found out.
pub struct Finding {
    /// What was looked at.
    pub step: &'static str,
    pub text: String,
}

/// A decision and how it came about.
pub struct Explained {
    pub decision: Decision,
    pub steps: Vec<Step>,
    /// What providers would be asked, where nobody said what they answer.
    pub unanswered: Vec<String>,
}

/// Decides, and tells each step.
pub fn explain(mut engine: Engine, head: &Head, body: &[u8], now: UnixTime, answers: &Answers) -> Explained {
    let mut unanswered = Vec::new();
    // Keys may be needed, then the key that the token names, then another provider.
    for _ in 0..MOST_ROUNDS {
        let (decision, steps) = engine.explain(head, body, now, &mut NoHost);
        if decision.verdict != Verdict::Wait || !unanswered.is_empty() {
            return Explained { decision, steps, unanswered };
        }
        unanswered = answers.give(&mut engine, now);
    }
    let (decision, steps) = engine.explain(head, body, now, &mut NoHost);
    Explained { decision, steps, unanswered }
}

/// A step in words.
pub fn finding(step: Step) -> Finding {
    let (step, text) = match step {
        Step::Path(path) => ("path", path),
        Step::Host(host) => ("host", host),
        Step::Route(route) => ("route", route),
        Step::Preflight => ("preflight", "a CORS preflight: no credential is asked for".to_owned()),
        Step::Unmatched => ("route", "none".to_owned()),
        Step::Authenticator { name, refused: None } => ("authenticator", format!("{name}: verified")),
        Step::Authenticator { name, refused: Some(reason) } => ("authenticator", format!("{name}: {reason}")),
        Step::Waits { authenticator } => {
            ("authenticator", format!("{authenticator}: waits for its provider or for the body"))
        }
        Step::Anonymous => ("caller", "anonymous: no credential came, and none is needed".to_owned()),
        Step::RateLimit { name, exceeded } => {
            ("limit", format!("{name}: {}", if exceeded { "exceeded" } else { "not exceeded" }))
        }
        Step::Verified { authenticator, roles, scopes } => {
            ("caller", format!("verified by {authenticator}, roles: {roles}, scopes: {scopes}"))
        }
    };
    Finding { step, text }
}

const MOST_ROUNDS: usize = 5;
