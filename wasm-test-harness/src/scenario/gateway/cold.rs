//! Scenarios with identity providers. Their listeners come into the running Envoy just before they are used: a plugin
//! asks for its keys as soon as it is there, and a scenario promises what happens to the first request.

use std::{collections::BTreeMap, io, net::SocketAddr, thread};

use super::{
    super::{
        format::{Expectation, Scenario},
        observed::placeholders,
        placeholder::Placeholders,
        providers,
        report::Report,
    },
    lines_of, listener, not_there, now, run_steps,
};
use crate::{
    envoy::{self, Envoy, Gateway},
    provider::Provider,
};

/// Runs these scenarios, some at a time.
pub(super) fn run(
    scenarios: &[&Scenario],
    gateway: &Gateway<'_>,
    envoy: &Envoy,
    provider: &Provider,
    report: &mut Report,
) -> io::Result<()> {
    // The others' listeners go, all but the one that keeps the VM. None is removed later: Envoy gives the socket of a
    // listener that is going to a new one of the same address, and here all have the same.
    let mut listeners = vec![anchor()];
    envoy.replace_listeners(&envoy::lds_resources(gateway, &listeners))?;
    for (number, batch) in scenarios.chunks(AT_ONCE).enumerate() {
        let batch: Vec<Cold<'_>> =
            batch.iter().enumerate().map(|(at, scenario)| Cold::new(scenario, number, at, provider)).collect();
        listeners.extend(batch.iter().map(|cold| listener(cold.name.clone(), cold.scenario)));
        envoy.replace_listeners(&envoy::lds_resources(gateway, &listeners))?;
        let addresses: BTreeMap<String, SocketAddr> = envoy.listeners().into_iter().collect();
        let outcomes: Vec<_> = thread::scope(|scope| {
            let started: Vec<_> = batch
                .into_iter()
                .map(|cold| (cold.scenario, scope.spawn(|| cold.run(&addresses, envoy, provider))))
                .collect();
            let joined = |thread: thread::ScopedJoinHandle<'_, Vec<String>>| {
                thread.join().unwrap_or_else(|_| vec!["the runner itself panicked".to_owned()])
            };
            started.into_iter().map(|(scenario, thread)| (scenario, joined(thread))).collect()
        });
        for (scenario, differences) in outcomes {
            report.add(scenario, &differences);
        }
    }
    Ok(())
}

/// A scenario whose providers are ready, and whose listener is not there yet.
struct Cold<'a> {
    scenario: &'a Scenario,
    name: String,
    /// Or why there are none.
    placeholders: Result<Placeholders<'a>, String>,
}

impl<'a> Cold<'a> {
    fn new(scenario: &'a Scenario, batch: usize, at: usize, provider: &Provider) -> Self {
        let placeholders = placeholders(scenario, now());
        let filled = providers::fill(&mut provider.script(), &scenario.name, &scenario.providers, &placeholders);
        let name = format!("providers-{batch}-{at}-");
        Self { scenario, name, placeholders: filled.map(|()| placeholders) }
    }

    fn run(self, addresses: &BTreeMap<String, SocketAddr>, envoy: &Envoy, provider: &Provider) -> Vec<String> {
        let Expectation::Steps(steps) = &self.scenario.expectation else { return Vec::new() };
        match (addresses.get(&self.name), &self.placeholders) {
            (_, Err(error)) => vec![error.clone()],
            (Some(address), Ok(placeholders)) => {
                run_steps(self.scenario, steps, *address, placeholders, Some(provider))
            }
            (None, Ok(_)) => not_there(lines_of(&envoy.log(), &self.name)),
        }
    }
}

/// A listener that asks for nothing.
pub(super) fn anchor() -> envoy::Listener {
    envoy::Listener {
        name: "anchor".to_owned(),
        configuration: r#"{"paths": [{"method": "GET", "path": "/", "auth": false}]}"#.to_owned(),
        normalize_path: false,
        stop_iteration: false,
    }
}

/// What two cores run without one scenario's requests waiting for another's.
const AT_ONCE: usize = 8;
