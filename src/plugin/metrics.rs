//! The metrics of a configuration, defined at the host once. What the host does not define is not counted.

use std::{cell::Cell, collections::HashMap, time::Duration};

use super::host::{self, MetricId};
use crate::{
    audit::{Outcome, Record},
    auth::{AuthenticatorId, Method, jwt::Keys, knowledge::Sought},
    config::Gateway,
    deny::Reason,
    engine::{Engine, UnixTime},
    metrics::{FETCHED, LIMITS, LOOKED_UP, Metric, NO_AUTHENTICATOR, SOUGHT},
    provider::{Event, keys::KeySourceId, revocation::RevocationSourceId},
};

/// The metrics that the host has defined.
pub struct Metrics {
    denied: HashMap<Reason, MetricId>,
    /// By authenticator.
    requests: HashMap<String, OfRequests>,
    rate_limited: Vec<Option<MetricId>>,
    waiting: Option<MetricId>,
    /// By authenticator; none for those that keep no tokens.
    token_cache: Vec<Vec<Option<MetricId>>>,
    /// By key set, with its place in the configuration.
    key_sets: Vec<(String, OfDocument)>,
    /// By revocation list, likewise.
    revocations: Vec<(String, OfDocument)>,
    revocations_unchecked: Vec<Option<MetricId>>,
    /// By the place of the authenticator that asks.
    introspections: Vec<(String, OfIntrospection)>,
}

struct OfRequests {
    /// One for each of [`Outcome::ALL`].
    outcomes: [Option<MetricId>; 3],
    /// Those that were allowed and not told yet: a host call less for each.
    allowed: Cell<u32>,
}

/// What is told of a document of a provider's.
struct OfDocument {
    fetches: Vec<Option<MetricId>>,
    age: Option<MetricId>,
    /// In seconds, as it was told last.
    told: Cell<Option<u64>>,
}

struct OfIntrospection {
    results: Vec<Option<MetricId>>,
    latency: Option<MetricId>,
}

impl Metrics {
    /// Defines the metrics of a configuration.
    pub fn define(gateway: &Gateway) -> Self {
        let denied = Reason::all().filter_map(|reason| Some((reason, define(Metric::Denied, &[reason.label()])?)));
        let names = || gateway.authenticators.iter().map(|authenticator| &*authenticator.name);
        let requests = names().chain([NO_AUTHENTICATOR]).map(|name| {
            let outcomes = Outcome::ALL.map(|outcome| define(Metric::Requests, &[name, outcome.name()]));
            (name.to_owned(), OfRequests { outcomes, allowed: Cell::new(0) })
        });
        let token_cache = gateway.authenticators.iter().map(|authenticator| match authenticator.method {
            Method::Jwt(_) | Method::Introspection(_) => each(Metric::TokenCache, &authenticator.name, SOUGHT),
            Method::ApiKey(_) | Method::Mtls(_) | Method::Hmac(_) => Vec::new(),
        });
        let key_sets = gateway.key_sources.iter().enumerate().map(|(index, (place, _))| {
            let name = user(gateway, |method| {
                matches!(method, Method::Jwt(method)
                    if matches!(method.keys, Keys::Remote(keys) if keys == KeySourceId(index)))
            });
            (place.clone(), OfDocument::define(Metric::KeyFetches, Metric::KeyAge, name))
        });
        let list_users = (0..gateway.revocation_sources.len()).map(|index| {
            user(gateway, |method| {
                matches!(method, Method::Jwt(method)
                    if method.revocation.as_ref().is_some_and(|revocation| revocation.list == RevocationSourceId(index)))
            })
        });
        let revocations = gateway.revocation_sources.iter().zip(list_users.clone()).map(|((place, _), name)| {
            (place.clone(), OfDocument::define(Metric::RevocationFetches, Metric::RevocationAge, name))
        });
        let introspections = gateway.authenticators.iter().filter_map(|authenticator| match &authenticator.method {
            Method::Introspection(method) => {
                let results = each(Metric::Introspections, &authenticator.name, LOOKED_UP);
                let latency = define(Metric::IntrospectionLatency, &[&authenticator.name]);
                Some((method.place.clone(), OfIntrospection { results, latency }))
            }
            _ => None,
        });
        Self {
            denied: denied.collect(),
            requests: requests.collect(),
            rate_limited: LIMITS.iter().map(|limit| define(Metric::RateLimited, &[limit])).collect(),
            waiting: define(Metric::Waiting, &[]),
            token_cache: token_cache.collect(),
            key_sets: key_sets.collect(),
            revocations: revocations.collect(),
            revocations_unchecked: list_users.map(|name| define(Metric::RevocationsUnchecked, &[name])).collect(),
            introspections: introspections.collect(),
        }
    }

    /// Counts a decision.
    pub fn count(&self, record: &Record) {
        let authenticator = record.authenticator.as_deref().unwrap_or(NO_AUTHENTICATOR);
        if let Some(requests) = self.requests.get(authenticator) {
            requests.count(record.outcome());
        }
        if let Some(reason) = record.reason {
            add(self.denied.get(&reason).copied(), 1);
        }
        if let Some(limit) = record.limit {
            add(at(&self.rate_limited, LIMITS.iter().position(|name| *name == limit)), 1);
        }
    }

    /// Counts what happened with a provider.
    pub fn count_event(&self, event: &Event) {
        let of = |documents: &[(String, OfDocument)], place: &str, result: usize| {
            add(find(documents, place).and_then(|document| at(&document.fetches, Some(result))), 1);
        };
        match event {
            Event::KeysFetched { place, .. } => of(&self.key_sets, place, 0),
            Event::FetchFailed { place, .. } => of(&self.key_sets, place, 1),
            Event::RevocationsFetched { place, .. } => of(&self.revocations, place, 0),
            Event::RevocationsFailed { place, .. } => of(&self.revocations, place, 1),
            Event::RevocationsUnchecked { place, tokens } => {
                let index = self.revocations.iter().position(|(other, _)| other == place);
                add(at(&self.revocations_unchecked, index), i64::try_from(*tokens).unwrap_or(i64::MAX));
            }
            Event::LookedUp { place, active, took } => {
                if let Some(metrics) = find(&self.introspections, place) {
                    add(at(&metrics.results, Some(usize::from(!active))), 1);
                    record(metrics.latency, u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
                }
            }
            Event::LookupFailed { place, .. } => {
                add(find(&self.introspections, place).and_then(|metrics| at(&metrics.results, Some(2))), 1);
            }
            Event::KeyRefused { .. } | Event::SymmetricKey { .. } => {}
        }
    }

    /// Tells what is too dear, or not possible, to be told of each request.
    pub fn settle(&self, engine: &mut Engine, now: UnixTime) {
        self.requests.values().for_each(OfRequests::settle);
        for (index, metrics) in self.token_cache.iter().enumerate() {
            let Sought { hits, misses } = engine.take_sought(AuthenticatorId(index));
            for (metric, count) in metrics.iter().zip([hits, misses]).filter(|(_, count)| *count > 0) {
                add(*metric, count.into());
            }
        }
        for (index, (_, metrics)) in self.key_sets.iter().enumerate() {
            metrics.tell(engine.key_age(KeySourceId(index), now));
        }
        for (index, (_, metrics)) in self.revocations.iter().enumerate() {
            metrics.tell(engine.revocation_age(RevocationSourceId(index), now));
        }
    }

    /// Counts the requests that wait, on all workers together.
    pub fn add_waiting(&self, requests: i64) {
        add(self.waiting, requests);
    }
}

impl OfRequests {
    fn count(&self, outcome: Outcome) {
        if outcome != Outcome::Allowed {
            return add(at(&self.outcomes, Some(outcome as usize)), 1);
        }
        self.allowed.set(self.allowed.get().saturating_add(1));
        // A host that does not tick is told all the same.
        if self.allowed.get() >= MOST_UNTOLD {
            self.settle();
        }
    }

    fn settle(&self) {
        let allowed = self.allowed.take();
        if allowed > 0 {
            add(at(&self.outcomes, Some(Outcome::Allowed as usize)), allowed.into());
        }
    }
}

impl OfDocument {
    fn define(fetches: Metric, age: Metric, name: &str) -> Self {
        Self { fetches: each(fetches, name, FETCHED), age: define(age, &[name]), told: Cell::new(None) }
    }

    fn tell(&self, age: Option<Duration>) {
        let seconds = age.map(|age| age.as_secs());
        if self.told.replace(seconds) != seconds
            && let Some(seconds) = seconds
        {
            record(self.age, seconds);
        }
    }
}

/// Counts a configuration that the proxy has taken.
pub fn count_generation() {
    add(define(Metric::ConfigGeneration, &[]), 1);
}

/// The first authenticator of a kind: several may share a document.
fn user(gateway: &Gateway, uses: impl Fn(&Method) -> bool) -> &str {
    let user = gateway.authenticators.iter().find(|authenticator| uses(&authenticator.method));
    user.map_or(NO_AUTHENTICATOR, |authenticator| &authenticator.name)
}

fn define(metric: Metric, labels: &[&str]) -> Option<MetricId> {
    host::define_metric(metric.kind(), &metric.full_name(labels)).ok()
}

fn each(metric: Metric, authenticator: &str, values: &[&str]) -> Vec<Option<MetricId>> {
    values.iter().map(|value| define(metric, &[authenticator, value])).collect()
}

fn find<'a, T>(places: &'a [(String, T)], place: &str) -> Option<&'a T> {
    places.iter().find(|(other, _)| other == place).map(|(_, metrics)| metrics)
}

fn at(metrics: &[Option<MetricId>], index: Option<usize>) -> Option<MetricId> {
    *metrics.get(index?)?
}

fn add(metric: Option<MetricId>, offset: i64) {
    if let Some(metric) = metric {
        host::add(metric, offset);
    }
}

fn record(metric: Option<MetricId>, value: u64) {
    if let Some(metric) = metric {
        host::record(metric, value);
    }
}

/// How many allowed requests may be untold.
const MOST_UNTOLD: u32 = 1000;
