//! Counters of what was decided, defined once for each configuration.

use std::collections::HashMap;

use super::host;
use crate::{config::Gateway, deny::Reason, engine::Record};

/// `gatepost.requests.<authenticator>.<outcome>` and `gatepost.denied.<reason>`. What the host does not define is not
/// counted.
pub struct Metrics {
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
        let denied = Reason::all().filter_map(|reason| {
            let counter = host::define_counter(&format!("gatepost.denied.{reason}"));
            Some((reason, counter.ok()?))
        });
        let authenticators = gateway.authenticators.iter().map(|authenticator| authenticator.name.as_str());
        let requests = authenticators.chain([NO_AUTHENTICATOR]).map(|name| {
            let define = |outcome: Outcome| format!("gatepost.requests.{name}.{}", outcome.name());
            let counters = Outcome::ALL.map(|outcome| host::define_counter(&define(outcome)).ok());
            (name.to_owned(), counters)
        });
        Self { denied: denied.collect(), requests: requests.collect() }
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
        request.into_iter().chain(denied).for_each(host::increment);
    }
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
