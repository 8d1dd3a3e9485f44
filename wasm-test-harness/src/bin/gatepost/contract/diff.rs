//! What changed for callers and services between two versions of a configuration.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::settings;
use super::state::{self, State};
use crate::probe::{ANY_METHOD, Probe};
use crate::view::View;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// A route, an authenticator, or the gateway as a whole.
    pub subject: String,
    /// What changed, in words.
    pub change: String,
    pub effect: Effect,
}

/// What a change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// More gets through, or less is checked.
    Loosened,
    Changed,
    /// Less gets through, or more is checked.
    Tightened,
}

/// The path and the hosts of a route, as they are written.
type Place = (String, String);

/// A change of something that is named elsewhere.
pub type Step = (Effect, String);

/// Every change, those of the gateway and its authenticators first.
pub fn diff(old: View<'_>, new: View<'_>) -> Vec<Change> {
    let mut changes = settings::diff(old, new);
    changes.extend(routes(old, new));
    changes
}

/// Compares what decides about the requests of every route of both. A route that is only written otherwise, or whose
/// requests another one takes, has not changed.
fn routes(old: View<'_>, new: View<'_>) -> Vec<Change> {
    let methods = methods(old, new);
    let any: Vec<&str> = methods.iter().map(String::as_str).collect();
    let routes = || old.routes().chain(new.routes());
    let probes: BTreeMap<Probe, Place> = routes()
        .flat_map(|route| {
            let place = (route.path().to_owned(), route.hosts().join(", "));
            Probe::all(route, &any).into_iter().map(move |probe| (probe, place.clone()))
        })
        .collect();
    let mut by_place: BTreeMap<Place, Vec<(Step, BTreeSet<String>)>> = BTreeMap::new();
    for (probe, place) in probes {
        let (before, after) = (probe.decider(old.gateway), probe.decider(new.gateway));
        for step in state::steps(&State::of(before, old), &State::of(after, new)) {
            let steps = by_place.entry(place.clone()).or_default();
            match steps.iter_mut().find(|(known, _)| *known == step) {
                Some((_, methods)) => drop(methods.insert(probe.method.clone())),
                None => steps.push((step, BTreeSet::from([probe.method.clone()]))),
            }
        }
    }
    let mut changes = Vec::new();
    for ((path, hosts), steps) in by_place {
        for ((effect, change), methods) in steps {
            let hosts = if hosts.is_empty() { String::new() } else { format!(" on {hosts}") };
            let subject = format!("{} {path}{hosts}", method_text(&methods, any.len()));
            changes.push(Change { subject, change, effect });
        }
    }
    changes
}

/// The methods that some route names, and one that none does.
fn methods(old: View<'_>, new: View<'_>) -> Vec<String> {
    let routes = old.routes().chain(new.routes());
    let mut methods: BTreeSet<String> = routes.flat_map(|route| route.methods()).map(str::to_owned).collect();
    methods.remove("ANY");
    methods.insert(ANY_METHOD.to_owned());
    methods.into_iter().collect()
}

fn method_text(methods: &BTreeSet<String>, all: usize) -> String {
    if methods.len() == all {
        return "ANY".to_owned();
    }
    let named = methods.iter().map(|method| if method == ANY_METHOD { "any other method" } else { method });
    named.collect::<Vec<_>>().join(", ")
}

impl Effect {
    pub fn name(self) -> &'static str {
        match self {
            Self::Loosened => "loosened",
            Self::Changed => "changed",
            Self::Tightened => "tightened",
        }
    }
}
