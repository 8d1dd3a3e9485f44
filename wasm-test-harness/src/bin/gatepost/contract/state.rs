//! What becomes of one request in a configuration, and what another configuration does otherwise.

use std::collections::BTreeMap;

use gatepost::auth::policy::Policy;
use gatepost::config::gateway::{Mode, Unmatched};
use gatepost::limit::Limit;

use super::diff::{Effect, Step};
use super::model::limit_text;
use super::value;
use crate::access::{Alternative, Member, alternatives};
use crate::probe::Decider;
use crate::view::View;

/// What becomes of a request.
pub struct State {
    /// None where it never arrives.
    access: Option<Access>,
    shadow: bool,
    limit: Option<Limit>,
    cluster: Option<String>,
    /// What is set, by name, and from what.
    headers: BTreeMap<String, String>,
    query: BTreeMap<String, String>,
}

/// Who gets through.
struct Access {
    /// Whether callers without a credential do.
    open: bool,
    /// None on a public route.
    callers: Option<Vec<(String, Demands)>>,
}

/// What an identity has to hold: of each, one of the values.
type Demands = BTreeMap<String, Vec<String>>;

impl State {
    pub fn of(decider: Decider, view: View<'_>) -> Self {
        let closed = || Self {
            access: None,
            shadow: false,
            limit: None,
            cluster: None,
            headers: BTreeMap::new(),
            query: BTreeMap::new(),
        };
        match decider {
            Decider::NotServed | Decider::Refused => closed(),
            Decider::Unmatched => {
                let access = match &view.gateway.unmatched {
                    Unmatched::Reject => None,
                    Unmatched::Authenticate(policy) => Some(Access::of(Some(policy), view)),
                    Unmatched::Forward => Some(Access::of(None, view)),
                };
                Self { access, shadow: view.gateway.mode == Mode::Shadow, ..closed() }
            }
            Decider::Route(index) => {
                let Some(route) = view.route(index) else {
                    return closed(); // not reached: the table names routes of the configuration
                };
                let compiled = route.compiled;
                let entries = |entries: &[gatepost::mapping::Entry]| {
                    let text = |entry: &gatepost::mapping::Entry| {
                        let rest = [("default", entry.default.is_some()), ("required", entry.required)];
                        let rest = rest.iter().filter(|(_, is_there)| *is_there).map(|(name, _)| format!(", {name}"));
                        format!("`{}`{}", value::written(entry, route), rest.collect::<String>())
                    };
                    entries.iter().map(|entry| (entry.target.to_string(), text(entry))).collect()
                };
                Self {
                    access: Some(Access::of(compiled.policy.as_ref(), view)),
                    shadow: compiled.mode == Mode::Shadow,
                    limit: compiled.rate_limit.clone(),
                    cluster: compiled.integration.as_ref().map(|integration| integration.cluster.clone()),
                    headers: entries(&compiled.mapping.headers),
                    query: entries(&compiled.mapping.query),
                }
            }
        }
    }
}

impl Access {
    fn of(policy: Option<&Policy>, view: View<'_>) -> Self {
        let callers = policy.map(|policy| {
            let caller = |alternative: Alternative| {
                let names = alternative.members.iter().map(|member| format!("`{}`", view.name(member.authenticator)));
                let demands = alternative.members.iter().flat_map(|member| demands(member, view)).collect();
                (names.collect::<Vec<_>>().join(" together with "), demands)
            };
            alternatives(&policy.rule).into_iter().map(caller).collect()
        });
        Self { open: policy.is_none_or(|policy| policy.optional), callers }
    }
}

/// What a member's identity has to hold, each under what it is called.
fn demands(member: &Member, view: View<'_>) -> Vec<(String, Vec<String>)> {
    let of = format!(" of `{}`", view.name(member.authenticator));
    let numbered = |kind: &str, index: usize| match index {
        0 => format!("{kind}{of}"),
        _ => format!("{kind}{of} ({})", index + 1),
    };
    let roles = member.roles().enumerate().map(|(index, roles)| (numbered("role", index), roles.to_vec()));
    let scopes = member.scopes().into_iter().map(|scope| (format!("scope `{scope}`{of}"), Vec::new()));
    let audiences = member.audiences().enumerate();
    let audiences = audiences.map(|(index, audiences)| (numbered("audience", index), audiences.to_vec()));
    let claims = member.claims().map(|(claim, values)| (format!("claim `{claim}`{of}"), values));
    roles.chain(scopes).chain(audiences).chain(claims).collect()
}

/// What the new configuration does otherwise.
pub fn steps(old: &State, new: &State) -> Vec<Step> {
    let mut steps = Vec::new();
    match (&old.access, &new.access) {
        (None, None) => return steps,
        (None, Some(access)) => {
            steps.push(match access.open {
                true => (Effect::Loosened, "is now served, and needs no credential".to_owned()),
                false => (Effect::Changed, format!("is now served, for callers verified by {}", verifiers(access))),
            });
        }
        (Some(_), None) => {
            steps.push((Effect::Tightened, "is no longer served".to_owned()));
            return steps;
        }
        (Some(before), Some(after)) => compare_access(before, after, &mut steps),
    }
    let asks = |state: &State| state.access.as_ref().is_some_and(|access| access.callers.is_some());
    if old.access.is_some() && asks(new) && old.shadow != new.shadow {
        steps.push(match new.shadow {
            true => (Effect::Loosened, "is now in shadow mode: nothing is denied".to_owned()),
            false => (Effect::Tightened, "is no longer in shadow mode: denials are carried out".to_owned()),
        });
    }
    if old.access.is_some() {
        compare_limits(old.limit.as_ref(), new.limit.as_ref(), &mut steps);
        compare_clusters(old, new, &mut steps);
    }
    compare_values("header", &old.headers, &new.headers, &mut steps);
    compare_values("query parameter", &old.query, &new.query, &mut steps);
    steps
}

fn verifiers(access: &Access) -> String {
    let names = access.callers.iter().flatten().map(|(name, demands)| match demands.len() {
        0 => name.clone(),
        _ => format!(
            "{name} ({})",
            demands.iter().map(|(what, values)| demand_text(what, values)).collect::<Vec<_>>().join(", ")
        ),
    });
    names.collect::<Vec<_>>().join(" or ")
}

fn demand_text(what: &str, values: &[String]) -> String {
    let values = values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(" or ");
    if values.is_empty() { what.to_owned() } else { format!("{what}: {values}") }
}

fn compare_access(old: &Access, new: &Access, steps: &mut Vec<Step>) {
    match (old.open, new.open) {
        (false, true) => steps.push((Effect::Loosened, "now needs no credential".to_owned())),
        (true, false) => {
            steps.push((Effect::Tightened, format!("now needs a credential, verified by {}", verifiers(new))));
            return;
        }
        _ => {}
    }
    let (Some(before), Some(after)) = (&old.callers, &new.callers) else {
        match (&old.callers, &new.callers) {
            (None, Some(_)) => steps.push((Effect::Tightened, "now refuses credentials that are not good".to_owned())),
            (Some(_), None) if old.open => {
                steps.push((Effect::Loosened, "no longer looks at credentials, and forwards them".to_owned()));
            }
            _ => {}
        }
        return;
    };
    let is_plain = |callers: &[(String, Demands)]| {
        let names: Vec<&String> = callers.iter().map(|(name, _)| name).collect();
        names.iter().enumerate().all(|(index, name)| !names[..index].contains(name))
    };
    if !is_plain(before) || !is_plain(after) {
        if before != after {
            let text = format!("may now be called by others: was {}, now {}", verifiers(old), verifiers(new));
            steps.push((Effect::Changed, text));
        }
        return;
    }
    let find = |callers: &'_ [(String, Demands)], name: &str| callers.iter().position(|(other, _)| other == name);
    for (name, demands) in after {
        match find(before, name) {
            None => {
                let asked = verifiers(&Access { open: false, callers: Some(vec![(name.clone(), demands.clone())]) });
                steps.push((Effect::Loosened, format!("can now also be called with {asked}")));
            }
            Some(index) => compare_demands(&before[index].1, demands, steps),
        }
    }
    for (name, _) in before.iter().filter(|(name, _)| find(after, name).is_none()) {
        steps.push((Effect::Tightened, format!("can no longer be called with {name}")));
    }
}

fn compare_demands(old: &Demands, new: &Demands, steps: &mut Vec<Step>) {
    for (what, values) in old {
        match new.get(what) {
            None => steps.push((Effect::Loosened, format!("no longer needs {}", demand_text(what, values)))),
            Some(now) => {
                for value in now.iter().filter(|value| !values.contains(value)) {
                    steps.push((Effect::Loosened, format!("now accepts `{value}` as {what} too")));
                }
                for value in values.iter().filter(|value| !now.contains(value)) {
                    steps.push((Effect::Tightened, format!("no longer accepts `{value}` as {what}")));
                }
            }
        }
    }
    for (what, values) in new.iter().filter(|(what, _)| !old.contains_key(*what)) {
        steps.push((Effect::Tightened, format!("now needs {}", demand_text(what, values))));
    }
}

/// Compares two limits.
pub fn compare_limits(old: Option<&Limit>, new: Option<&Limit>, steps: &mut Vec<Step>) {
    let step = match (old, new) {
        (None, Some(limit)) => (Effect::Tightened, format!("is now limited: {}", limit_text(limit))),
        (Some(_), None) => (Effect::Loosened, "is no longer limited".to_owned()),
        (Some(before), Some(after)) if before.rate != after.rate || before.by != after.by => {
            let rate = |limit: &Limit| f64::from(limit.rate.requests.get()) / limit.rate.per.as_secs_f64();
            let effect = if before.by != after.by {
                Effect::Changed
            } else if rate(before) <= rate(after) && before.rate.burst <= after.rate.burst {
                Effect::Loosened
            } else if rate(before) >= rate(after) && before.rate.burst >= after.rate.burst {
                Effect::Tightened
            } else {
                Effect::Changed
            };
            (effect, format!("is now limited otherwise: {}", limit_text(after)))
        }
        _ => return,
    };
    steps.push(step);
}

fn compare_clusters(old: &State, new: &State, steps: &mut Vec<Step>) {
    if old.cluster != new.cluster {
        let text = match &new.cluster {
            Some(cluster) => format!("now goes to the cluster `{cluster}`"),
            None => "now goes where the host's routes say".to_owned(),
        };
        steps.push((Effect::Changed, text));
    }
}

fn compare_values(kind: &str, old: &BTreeMap<String, String>, new: &BTreeMap<String, String>, steps: &mut Vec<Step>) {
    for (name, value) in new {
        match old.get(name) {
            None => steps.push((Effect::Changed, format!("{kind} `{name}` is now set, from {value}"))),
            Some(before) if before != value => {
                steps.push((
                    Effect::Changed,
                    format!("{kind} `{name}` is now set from {value}, no longer from {before}"),
                ));
            }
            Some(_) => {}
        }
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        steps.push((Effect::Changed, format!("{kind} `{name}` is no longer set")));
    }
}
