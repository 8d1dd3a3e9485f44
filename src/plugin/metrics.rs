//! Metrics of what was decided, defined once for each configuration.

use std::collections::HashMap;

use super::host::{self, MetricKind};
use crate::{config::Gateway, deny::Reason, engine::Record, provider::Event};

/// `gatepost.requests.<authenticator>.<outcome>`, `gatepost.denied.<reason>`, `gatepost.key_fetches.<result>`,
/// `gatepost.revocation_fetches.<result>`, `gatepost.revocations_unchecked` (tokens that were accepted without a list),
/// `gatepost.introspections.<result>` and the gauge `gatepost.waiting`. What the host does not define is not counted.
pub struct Metrics {
    keys_fetched: Option<u32>,
    fetches_failed: Option<u32>,
    revocations_fetched: Option<u32>,
    revocations_failed: Option<u32>,
    revocations_unchecked: Option<u32>,
    tokens_active: Option<u32>,
    tokens_inactive: Option<u32>,
    lookups_failed: Option<u32>,
    waiting: Option<u32>,
    denied: HashMap<Reason, u32>,
    /// By authenticator, one for each of [`Outcome::ALL`].
    requests: HashMap<String, [Option<u32>; 3]>,
}

/// What became of a request.
#[derive(Clone, Copy)]
enum Outcome {
    Allowed,
    Denied,
    /// It would have been denied, were the mode not shadow.
    ShadowDenied,
}

impl Metrics {
    /// Defines the counters of a configuration.
    pub fn define(gateway: &Gateway) -> Self {
        let counter = |name: &str| host::define_metric(MetricKind::Counter, name).ok();
        let denied = Reason::all().filter_map(|reason| Some((reason, counter(&format!("gatepost.denied.{reason}"))?)));
        let authenticators = gateway.authenticators.iter().map(|authenticator| &*authenticator.name);
        let requests = authenticators.chain([NO_AUTHENTICATOR]).map(|name| {
            let define = |outcome: Outcome| format!("gatepost.requests.{name}.{}", outcome.name());
            let counters = Outcome::ALL.map(|outcome| counter(&define(outcome)));
            (name.to_owned(), counters)
        });
        Self {
            keys_fetched: counter("gatepost.key_fetches.succeeded"),
            fetches_failed: counter("gatepost.key_fetches.failed"),
            revocations_fetched: counter("gatepost.revocation_fetches.succeeded"),
            revocations_failed: counter("gatepost.revocation_fetches.failed"),
            revocations_unchecked: counter("gatepost.revocations_unchecked"),
            tokens_active: counter("gatepost.introspections.active"),
            tokens_inactive: counter("gatepost.introspections.inactive"),
            lookups_failed: counter("gatepost.introspections.failed"),
            waiting: host::define_metric(MetricKind::Gauge, "gatepost.waiting").ok(),
            denied: denied.collect(),
            requests: requests.collect(),
        }
    }

    /// Counts a decision.
    pub fn count(&self, record: &Record) {
        let outcome = match record.reason {
            None => Outcome::Allowed,
            Some(_) if record.shadow => Outcome::ShadowDenied,
            Some(_) => Outcome::Denied,
        };
        let authenticator = record.authenticator.as_deref().unwrap_or(NO_AUTHENTICATOR);
        let request = self.requests.get(authenticator).and_then(|counters| *counters.get(outcome as usize)?);
        let denied = record.reason.and_then(|reason| self.denied.get(&reason).copied());
        request.into_iter().chain(denied).for_each(increment);
    }

    /// Counts what happened with a provider.
    pub fn count_event(&self, event: &Event) {
        let counter = match event {
            Event::KeysFetched { .. } => self.keys_fetched,
            Event::FetchFailed { .. } => self.fetches_failed,
            Event::RevocationsFetched { .. } => self.revocations_fetched,
            Event::RevocationsFailed { .. } => self.revocations_failed,
            Event::RevocationsUnchecked { tokens, .. } => {
                let tokens = i64::try_from(*tokens).unwrap_or(i64::MAX);
                return self.revocations_unchecked.into_iter().for_each(|counter| host::add(counter, tokens));
            }
            Event::LookedUp { active: true } => self.tokens_active,
            Event::LookedUp { active: false } => self.tokens_inactive,
            Event::LookupFailed { .. } => self.lookups_failed,
            Event::KeyRefused { .. } | Event::SymmetricKey { .. } => None,
        };
        counter.into_iter().for_each(increment);
    }

    /// Counts the requests that wait, on all workers together.
    pub fn add_waiting(&self, requests: i64) {
        self.waiting.into_iter().for_each(|gauge| host::add(gauge, requests));
    }
}

fn increment(counter: u32) {
    host::add(counter, 1);
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Allowed, Self::Denied, Self::ShadowDenied];

    fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::ShadowDenied => "shadow_denied",
        }
    }
}

/// Stands for the authenticator of a request that none was asked about.
const NO_AUTHENTICATOR: &str = "none";
