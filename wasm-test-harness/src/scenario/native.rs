//! The table on the engine itself.

use gatepost::{
    config,
    engine::{Decision, Engine, Head, HeaderEdit, RequestId, Verdict},
};

use super::{
    check::Check,
    format::{Expectation, HostName, Record, Scenario, Step},
    identity::IdentitySet,
    observed::{Answer, Observed, Received, Sent, placeholders},
    providers,
    report::Report,
    simulation::Simulation,
    table::Table,
};
use crate::{host::Headers, provider::Script};

mod worker;

use worker::Worker;

/// Runs every scenario that names this host.
pub fn run(table: &Table) -> Report {
    let mut report = Report::new("native");
    for scenario in table.on(HostName::Native) {
        report.add(scenario, &scenario_differences(scenario, table));
    }
    report
}

fn scenario_differences(scenario: &Scenario, table: &Table) -> Vec<String> {
    let environment = |name: &str| table.environment.get(name).cloned();
    let loaded = config::load(scenario.configuration.as_bytes(), &environment);
    match (&scenario.expectation, loaded) {
        (Expectation::Steps(steps), Ok(gateway)) => run_steps(scenario, steps, Engine::new(gateway, 7)),
        (Expectation::Steps(_), Err(errors)) => {
            errors.iter().map(|error| format!("the configuration is refused: {error}")).collect()
        }
        (Expectation::Refused { .. }, Ok(_)) => vec!["the configuration is accepted".to_owned()],
        (Expectation::Refused { errors, more }, Err(actual)) => {
            let actual: Vec<String> = actual.iter().map(ToString::to_string).collect();
            refusal_differences(errors, *more, &actual)
        }
    }
}

/// Every expected beginning needs an error of its own, and no error may be unexpected.
fn refusal_differences(expected: &[String], more: bool, actual: &[String]) -> Vec<String> {
    let mut rest: Vec<&String> = actual.iter().collect();
    let mut lines = Vec::new();
    for beginning in expected {
        match rest.iter().position(|error| error.starts_with(beginning.as_str())) {
            Some(at) => drop(rest.remove(at)),
            None => lines.push(format!("expected an error that begins with {beginning:?}")),
        }
    }
    if !more || !lines.is_empty() {
        lines.extend(rest.iter().map(|error| format!("an error that nobody expected: {error}")));
    }
    lines
}

fn run_steps(scenario: &Scenario, steps: &[Step], engine: Engine) -> Vec<String> {
    let placeholders = placeholders(scenario, scenario.clock);
    let identity = IdentitySet::of(&scenario.configuration);
    let mut script = Script::default();
    if let Err(error) = providers::fill(&mut script, &scenario.name, &scenario.providers, &placeholders) {
        return vec![error];
    }
    let mut simulation = Simulation::new(script);
    let clusters = scenario.providers.keys().map(String::as_str).collect();
    let mut worker = Worker::new(engine, clusters, scenario.clock);
    let mut lines = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let Ok(()) = simulation.advance(&mut worker, step.advance);
        let sent = match Sent::of(step, &placeholders) {
            Ok(sent) => sent,
            Err(error) => return vec![error],
        };
        let headers = Headers::unjoined(sent.head());
        let head = Head { headers: headers.pairs().iter().cloned().collect(), end_of_stream: sent.end_of_stream };
        let id = RequestId(u32::try_from(index).unwrap_or(u32::MAX));
        worker.decide(id, &head, sent.properties.clone());
        // A host that may not hold the headers shows no body of a request that waits.
        if scenario.listener.stop_iteration || worker.is_decided(id) {
            worker.show_body(id, &sent.chunks, !sent.end_of_stream && !sent.stalls);
        }
        let Ok(_) = simulation.settle(&mut worker, |worker| worker.is_decided(id));
        let decision = worker.take(id);
        let observed = observe(&worker.engine, &decision, &sent);
        let check = Check { step, sent: &sent, placeholders: &placeholders, identity: &identity };
        let mut differences = check.differences(&observed);
        differences.extend(step.record.iter().flat_map(|record| record_differences(record, &decision)));
        differences.extend(providers::differences(&simulation.script, scenario, &check));
        lines.extend(differences.into_iter().map(|line| numbered(steps, index, line)));
    }
    lines.extend(worker.leaks(&placeholders));
    lines
}

/// Does to the request what the plugin would do.
fn observe(engine: &Engine, decision: &Decision, sent: &Sent) -> Observed {
    match &decision.verdict {
        Verdict::Forward(edits) => {
            let mut headers = Headers::unjoined(sent.head());
            apply(&mut headers, edits);
            let mut trailers = Headers::unjoined(sent.trailers.clone());
            if !sent.trailers.is_empty() {
                let edits = engine.trailers(decision.route, &trailers.pairs().iter().cloned().collect());
                apply(&mut trailers, &edits);
            }
            Observed::Forwarded(Received::of(&headers, sent.body(), &trailers))
        }
        Verdict::Wait => Observed::Neither("the request waits for ever".to_owned()),
        Verdict::Deny(answer) => {
            let headers =
                answer.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
            let grpc = answer.grpc.as_ref().map(|grpc| (u32::from(grpc.code), grpc.message.to_owned()));
            let body = answer.body.clone().into_bytes();
            Observed::Answered(Answer { status: answer.status, headers, body, grpc })
        }
    }
}

fn apply(headers: &mut Headers, edits: &[HeaderEdit]) {
    for edit in edits {
        match edit {
            HeaderEdit::Remove(name) => headers.remove(name),
            HeaderEdit::Set(name, value) => headers.replace(name, value),
        }
    }
}

fn record_differences(expected: &Record, decision: &Decision) -> Vec<String> {
    let record = &decision.record;
    let reason = record.reason.as_ref().map(ToString::to_string);
    let mut lines = Vec::new();
    let mut compare = |what: &str, expected: &Option<String>, actual: Option<&str>| {
        if let Some(expected) = expected
            && actual.unwrap_or("none") != expected
        {
            lines.push(format!("record.{what}: expected {expected:?}, it is {actual:?}"));
        }
    };
    compare("reason", &expected.reason, reason.as_deref());
    compare("authenticator", &expected.authenticator, record.authenticator.as_deref());
    if let Some(route) = &expected.route
        && !record.route.as_ref().is_some_and(|actual| actual.contains(route.as_str()))
    {
        lines.push(format!("record.route: expected one that holds {route:?}, it is {:?}", record.route));
    }
    if let Some(shadow) = expected.shadow
        && shadow != record.shadow
    {
        lines.push(format!("record.shadow: expected {shadow}, it is {}", record.shadow));
    }
    lines
}

/// Names the step where there are several.
pub(super) fn numbered(steps: &[Step], index: usize, line: String) -> String {
    if steps.len() > 1 { format!("step {}: {line}", index + 1) } else { line }
}
