//! What changed for all routes: of the gateway and of its authenticators.

use std::collections::BTreeSet;

use gatepost::config::gateway::{Mode, Unmatched};
use gatepost::request::folded_name;
use gatepost::route::path::PathPolicy;
use serde_json::Value;

use super::diff::{Change, Effect, Step};
use super::model::{removed_headers, removed_query, unmatched};
use super::state::compare_limits;
use crate::view::{View, items, texts};

pub fn diff(old: View<'_>, new: View<'_>) -> Vec<Change> {
    let mut steps = Vec::new();
    compare_gateways(old, new, &mut steps);
    compare_names(old, new, &mut steps);
    let of = |subject: &str, steps: Vec<Step>| {
        let change = |(effect, change): Step| Change { subject: subject.to_owned(), change, effect };
        steps.into_iter().map(change).collect::<Vec<_>>()
    };
    let mut changes = of("the gateway", steps);
    let names = old.authenticators().chain(new.authenticators()).map(|one| one.compiled.name.to_string());
    for name in names.collect::<BTreeSet<_>>() {
        let find = |view: View<'_>| {
            view.authenticators().find(|one| *one.compiled.name == *name).map(|one| one.written.clone())
        };
        let mut steps = Vec::new();
        if let (Some(before), Some(after)) = (find(old), find(new)) {
            compare_authenticators(&before, &after, &mut steps);
        }
        // Whom a new one lets in, and a former one does not any more, the routes tell.
        changes.extend(of(&format!("authenticator `{name}`"), steps));
    }
    changes
}

fn compare_gateways(old: View<'_>, new: View<'_>, steps: &mut Vec<Step>) {
    let (before, after) = (old.gateway, new.gateway);
    let mut ranked = |name: &str, old: (u8, &str), new: (u8, &str)| {
        // The higher the rank, the more gets through.
        if old.0 != new.0 {
            let effect = if new.0 > old.0 { Effect::Loosened } else { Effect::Tightened };
            steps.push((effect, format!("`{name}` is now `{}`, was `{}`", new.1, old.1)));
        }
    };
    let rank = |policy: &Unmatched| match policy {
        Unmatched::Reject => (0, unmatched(policy)),
        Unmatched::Authenticate(_) => (1, unmatched(policy)),
        Unmatched::Forward => (2, unmatched(policy)),
    };
    ranked("unmatched", rank(&before.unmatched), rank(&after.unmatched));
    let rank = |mode| if mode == Mode::Shadow { (1, "shadow") } else { (0, "enforce") };
    ranked("mode", rank(before.mode), rank(after.mode));
    let rank = |policy| if policy == PathPolicy::Normalize { (1, "normalize") } else { (0, "strict") };
    ranked("path_policy", rank(before.path_policy), rank(after.path_policy));
    let rank = |forward| if forward { (1, "forward") } else { (0, "authenticate") };
    ranked("cors_preflight", rank(before.forward_preflight), rank(after.forward_preflight));
    let rank = |origins: &Option<Vec<String>>| if origins.is_none() { (1, "off") } else { (0, "on") };
    ranked("csrf", rank(&before.csrf_origins), rank(&after.csrf_origins));
    let (origins, trusted) = (texts(&old.written["csrf_origins"]), texts(&new.written["csrf_origins"]));
    compare_lists("origin", "of `csrf_origins`", &origins, &trusted, steps);
    let mut limits = Vec::new();
    compare_limits(before.rate_limit.as_ref(), after.rate_limit.as_ref(), &mut limits);
    steps.append(&mut limits);
    if old.written["identity_token"] != new.written["identity_token"] {
        let text = match (&before.identity_token, &after.identity_token) {
            (Some(_), None) => "services no longer get an identity token",
            (None, _) => "services now get an identity token",
            _ => "the identity token changed: its header, key, algorithm, issuer, audience or lifetime",
        };
        steps.push((Effect::Changed, text.to_owned()));
    }
}

/// Compares what clients can set.
fn compare_names(old: View<'_>, new: View<'_>, steps: &mut Vec<Step>) {
    let (before, after) = (removed_headers(old), removed_headers(new));
    let is_removed = |view: View<'_>, name: &str| {
        let folded = folded_name(name.trim_end_matches('*')).into_owned();
        view.gateway.identity_headers.contains(&folded) || view.gateway.override_headers.contains(&folded)
    };
    for name in before.iter().filter(|name| !after.contains(name) && !is_removed(new, name)) {
        steps.push((Effect::Loosened, format!("clients can now set the header `{name}`")));
    }
    for name in after.iter().filter(|name| !before.contains(name) && !is_removed(old, name)) {
        steps.push((Effect::Tightened, format!("clients can no longer set the header `{name}`")));
    }
    let (before, after) = (removed_query(old), removed_query(new));
    for name in before.iter().filter(|name| !after.contains(name)) {
        steps.push((Effect::Loosened, format!("clients can now set the query parameter `{name}`")));
    }
    for name in after.iter().filter(|name| !before.contains(name)) {
        steps.push((Effect::Tightened, format!("clients can no longer set the query parameter `{name}`")));
    }
}

/// Compares what two authenticators of one name accept. Values of secrets are not told.
fn compare_authenticators(old: &Value, new: &Value, steps: &mut Vec<Step>) {
    let names =
        |value: &Value| value.as_object().into_iter().flat_map(|members| members.keys().cloned()).collect::<Vec<_>>();
    let members: BTreeSet<String> = names(old).into_iter().chain(names(new)).collect();
    for member in members.iter().filter(|member| old[member.as_str()] != new[member.as_str()]) {
        let (before, after) = (&old[member.as_str()], &new[member.as_str()]);
        match member.as_str() {
            // `*` accepts any.
            "issuer" | "audiences" => {
                compare_lists("", &format!("in `{member}`"), &texts(before), &texts(after), steps);
            }
            "types" | "algorithms" | "uri_sans" | "dns_sans" | "subjects" | "fingerprints"
                if !before.is_null() && !after.is_null() =>
            {
                compare_lists("", &format!("in `{member}`"), &texts(before), &texts(after), steps);
            }
            "require" if !before.is_null() && !after.is_null() => {
                let (had, has) = (texts(before), texts(after));
                for claim in had.iter().filter(|claim| !has.contains(claim)) {
                    steps.push((Effect::Loosened, format!("tokens no longer need the claim `{claim}`")));
                }
                for claim in has.iter().filter(|claim| !had.contains(claim)) {
                    steps.push((Effect::Tightened, format!("tokens now need the claim `{claim}`")));
                }
            }
            "keys" => compare_keys(before, after, steps),
            "forward_credential" | "listener_validates" => {
                let effect = if *after == Value::Bool(true) { Effect::Loosened } else { Effect::Tightened };
                steps.push((effect, format!("`{member}` is now `{}`", *after == Value::Bool(true))));
            }
            "revocation" | "max_lifetime" | "claims" if after.is_null() => {
                steps.push((Effect::Loosened, format!("`{member}` is no longer checked")));
            }
            "revocation" | "max_lifetime" | "claims" if before.is_null() => {
                steps.push((Effect::Tightened, format!("`{member}` is now checked")));
            }
            _ => steps.push((Effect::Changed, format!("`{member}` changed"))),
        }
    }
}

/// Compares lists of what is accepted.
fn compare_lists(kind: &str, place: &str, old: &[&str], new: &[&str], steps: &mut Vec<Step>) {
    let text = |verb: &str, item: &str| {
        [kind, &format!("`{item}`"), "is", verb, "accepted", place]
            .into_iter()
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    };
    for item in new.iter().filter(|item| !old.contains(item)) {
        steps.push((Effect::Loosened, text("now", item)));
    }
    for item in old.iter().filter(|item| !new.contains(item)) {
        steps.push((Effect::Tightened, text("no longer", item)));
    }
}

fn compare_keys(old: &Value, new: &Value, steps: &mut Vec<Step>) {
    let id = |key: &Value| key["id"].as_str().unwrap_or_default().to_owned();
    let find = |keys: &Value, wanted: &str| items(keys).find(|key| key["id"] == wanted).cloned();
    for key in items(new) {
        let id = id(key);
        let Some(before) = find(old, &id) else {
            steps.push((Effect::Loosened, format!("the key `{id}` is now accepted")));
            continue;
        };
        for list in ["roles", "scopes"] {
            let (had, has) = (texts(&before[list]), texts(&key[list]));
            let singular = list.trim_end_matches('s');
            for item in has.iter().filter(|item| !had.contains(item)) {
                steps.push((Effect::Loosened, format!("the key `{id}` now has the {singular} `{item}`")));
            }
            for item in had.iter().filter(|item| !has.contains(item)) {
                steps.push((Effect::Tightened, format!("the key `{id}` no longer has the {singular} `{item}`")));
            }
        }
        for member in ["sha256", "secret", "owner", "expires_at", "rate_limit"] {
            if before[member] != key[member] {
                steps.push((Effect::Changed, format!("`{member}` of the key `{id}` changed")));
            }
        }
    }
    for key in items(old).filter(|key| find(new, &id(key)).is_none()) {
        steps.push((Effect::Tightened, format!("the key `{}` is no longer accepted", id(key))));
    }
}
