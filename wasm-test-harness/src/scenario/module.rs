//! The table on the module in wasmtime.

use std::time::Duration;

use super::{
    check::Check,
    format::{Expectation, HostName, Scenario, Step},
    identity::IdentitySet,
    native::numbered,
    observed::{Answer, Observed, Received, Sent, environment, placeholders},
    providers,
    report::Report,
    simulation::{Machine, Outgoing, Reply, Simulation},
    table::Table,
};
use crate::{
    host::{CallAnswer, Clock, Headers, Host, HttpCall, LogLevel, Outcome, Plugin, Request, Trap, Vm, VmOptions},
    provider::{Asked, Script},
};

/// Runs every scenario that names this host, each in a VM of its own.
pub fn run(table: &Table, host: &Host) -> Report {
    run_where(table, host, true)
}

/// The same where the host offers nothing beside the ABI.
pub fn run_without_foreign_functions(table: &Table, host: &Host) -> Report {
    run_where(table, host, false)
}

fn run_where(table: &Table, host: &Host, verifies_signatures: bool) -> Report {
    let mut report = Report::new("wasmtime");
    for scenario in table.on(HostName::Wasmtime) {
        let differences = scenario_differences(scenario, table, host, verifies_signatures)
            .unwrap_or_else(|trap| vec![trap.to_string()]);
        report.add(scenario, &differences);
    }
    report
}

fn scenario_differences(
    scenario: &Scenario,
    table: &Table,
    host: &Host,
    verifies_signatures: bool,
) -> Result<Vec<String>, Trap> {
    let mut vm = host.vm(VmOptions {
        clock: Clock::at(scenario.clock),
        environment: environment(&table.environment),
        clusters: scenario.providers.keys().cloned().collect(),
        allow_on_headers_stop_iteration: scenario.listener.stop_iteration,
        verifies_signatures,
        ..VmOptions::default()
    })?;
    let (root, accepted) = vm.start(Plugin {
        name: scenario.name.clone(),
        root_id: scenario.name.clone(),
        configuration: scenario.configuration.clone().into_bytes(),
    })?;
    let mut lines = match (&scenario.expectation, accepted) {
        (Expectation::Steps(steps), true) => run_steps(scenario, steps, &mut Plugged { vm: &mut vm, root })?,
        (Expectation::Steps(_), false) => {
            let logged = vm.logs().iter().map(|log| format!("the configuration is refused: {}", log.message));
            std::iter::once("on_configure returned false".to_owned()).chain(logged).collect()
        }
        (Expectation::Refused { .. }, true) => vec!["on_configure returned true".to_owned()],
        (Expectation::Refused { errors, .. }, false) => {
            let missing = errors.iter().filter(|error| !vm.has_logged(LogLevel::Error, error));
            missing.map(|error| format!("no line at error level holds {error:?}")).collect()
        }
    };
    lines.extend(vm.violations().iter().cloned());
    Ok(lines)
}

fn run_steps(scenario: &Scenario, steps: &[Step], plugged: &mut Plugged<'_>) -> Result<Vec<String>, Trap> {
    let placeholders = placeholders(scenario, scenario.clock);
    let identity = IdentitySet::of(&scenario.configuration);
    let mut script = Script::default();
    if let Err(error) = providers::fill(&mut script, &scenario.name, &scenario.providers, &placeholders) {
        return Ok(vec![error]);
    }
    let mut simulation = Simulation::new(script);
    let mut lines = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        if !step.advance.is_zero() {
            simulation.advance(plugged, step.advance)?;
        }
        let sent = match Sent::of(step, &placeholders) {
            Ok(sent) => sent,
            Err(error) => return Ok(vec![error]),
        };
        let calls_before = plugged.vm.host_calls().len();
        let id = plugged.vm.exchange(plugged.root, request(&sent))?;
        simulation.settle(plugged, |plugged| !matches!(plugged.vm.outcome(id), Outcome::Held))?;
        let observed = observe(plugged.vm, id)?;
        plugged.vm.close(id)?;
        let check = Check { step, sent: &sent, placeholders: &placeholders, identity: &identity };
        let mut differences = check.differences(&observed);
        differences.extend(providers::differences(&simulation.script, scenario, &check));
        // A filter that may hold the headers has business in the body's callback.
        if !scenario.listener.stop_iteration {
            differences.extend(late_calls(plugged.vm, calls_before));
        }
        lines.extend(differences.into_iter().map(|line| numbered(steps, index, line)));
    }
    Ok(lines)
}

/// What has become of a request; one that goes on is answered by the service.
fn observe(vm: &mut Vm, id: u32) -> Result<Observed, Trap> {
    Ok(match vm.outcome(id) {
        Outcome::Forwarded(forwarded) => {
            let response = Headers::new(vec![(":status".to_owned(), b"200".to_vec())]);
            vm.respond(id, response, b"{}".to_vec())?;
            Observed::Forwarded(Received::of(&forwarded.headers, forwarded.body, &forwarded.trailers))
        }
        Outcome::Answered(reply) => {
            let fields = reply.headers.pairs().iter().filter(|(name, _)| !name.starts_with(':'));
            Observed::Answered(Answer::new(reply.status(), fields.cloned().collect(), reply.body.clone()))
        }
        Outcome::Reset => Observed::Neither("the request's stream was reset".to_owned()),
        Outcome::Held => Observed::Neither("the request is held, and waits for ever".to_owned()),
    })
}

/// A VM with one plugin.
struct Plugged<'a> {
    vm: &'a mut Vm,
    root: u32,
}

impl Machine for Plugged<'_> {
    type Call = HttpCall;
    type Error = Trap;

    fn advance(&mut self, by: Duration) -> Result<(), Trap> {
        self.vm.advance(by)
    }

    fn period(&mut self) -> Option<Duration> {
        self.vm.tick_period(self.root)
    }

    fn calls(&mut self) -> Vec<Outgoing<HttpCall>> {
        self.vm.take_http_calls().into_iter().map(outgoing).collect()
    }

    fn answer(&mut self, call: HttpCall, reply: Reply) -> Result<(), Trap> {
        let answer = match reply.body.len() > MOST_BUFFERED {
            true => CallAnswer::default(),
            false => CallAnswer { headers: Headers::new(reply.headers), body: reply.body, ..CallAnswer::default() },
        };
        self.vm.answer(&call, answer)
    }
}

fn outgoing(call: HttpCall) -> Outgoing<HttpCall> {
    let text = |name: &str| String::from_utf8_lossy(call.headers.first(name).unwrap_or_default()).into_owned();
    let fields = call.headers.pairs().iter().filter(|(name, _)| !name.starts_with(':'));
    let asked = Asked {
        method: text(":method"),
        authority: text(":authority"),
        path: text(":path"),
        headers: fields.cloned().collect(),
        body: call.body.clone(),
    };
    Outgoing { asked, timeout: Duration::from_millis(call.timeout.into()), call }
}

fn request(sent: &Sent) -> Request {
    Request {
        headers: Headers::new(sent.head()),
        body: sent.chunks.clone(),
        trailers: (!sent.trailers.is_empty()).then(|| Headers::new(sent.trailers.clone())),
        end_of_stream: sent.end_of_stream,
        stalls: sent.stalls,
        properties: sent.properties.clone(),
    }
}

/// Host calls after the verdict: none but the trailers' edits, and what is written when the stream is logged.
fn late_calls(vm: &Vm, since: usize) -> Vec<String> {
    let late = ["proxy_on_request_body", "proxy_on_response_headers", "proxy_on_response_body"];
    let calls = vm.host_calls()[since..].iter().filter(|call| late.contains(&call.callback));
    calls.map(|call| format!("{} is called in {}, after the verdict", call.function, call.callback)).collect()
}

/// What Envoy buffers of an answer to a callout; one that is longer comes to nothing.
const MOST_BUFFERED: usize = 32 << 20;
