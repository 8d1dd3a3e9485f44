//! Identity providers in scenarios: what they answer, and what they must have been asked.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{
    check::{Check, show},
    format::{Asked, Scenario, Step},
    placeholder::{Placeholders, authority, duration},
    text::Text,
};
use crate::{
    mint,
    provider::{self, Answer, Failure, Script},
};

/// By cluster and path.
pub(super) type Providers = BTreeMap<String, BTreeMap<String, Answers>>;

/// Calls so far, by cluster and path.
pub(super) type Calls = BTreeMap<String, BTreeMap<String, Count>>;

/// How many calls there have to be.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum Count {
    Exactly(usize),
    Between { at_least: usize, at_most: usize },
}

/// One after the other; the last one again and again.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Answers {
    Several(Vec<AnswerEntry>),
    One(Box<AnswerEntry>),
}

/// An answer as it is written: at most one of `keys`, `json`, `text` and `fail`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AnswerEntry {
    status: Option<u16>,
    keys: Option<String>,
    json: Option<Value>,
    text: Option<Text>,
    headers: Vec<(String, String)>,
    delay: Option<String>,
    fail: Option<Failure>,
}

/// Whether a configuration speaks of one of these providers; a file's are not every scenario's.
pub(super) fn are_named(providers: &Providers, scenario: &str, configuration: &str) -> bool {
    providers.keys().any(|cluster| configuration.contains(&authority(scenario, cluster)))
}

/// Refuses a step that counts the calls of a provider that is not there.
pub(super) fn check(providers: &Providers, step: &Step) -> Result<(), String> {
    let asked = step.asked.iter().filter_map(|asked| asked.cluster.as_ref());
    match step.calls.keys().chain(asked).find(|cluster| !providers.contains_key(*cluster)) {
        Some(cluster) => Err(format!("the configuration names no {{{{provider {cluster}}}}} of `providers`")),
        None if providers.is_empty() && step.asked.is_some() => Err("`asked`: there are no providers".to_owned()),
        None => Ok(()),
    }
}

/// Gives a script the answers of a scenario.
pub(super) fn fill(
    script: &mut Script,
    scenario: &str,
    providers: &Providers,
    placeholders: &Placeholders<'_>,
) -> Result<(), String> {
    for (cluster, resources) in providers {
        for (path, answers) in resources {
            let entries = match answers {
                Answers::Several(entries) => entries.as_slice(),
                Answers::One(entry) => std::slice::from_ref(&**entry),
            };
            let answers = entries.iter().map(|entry| entry.answer(placeholders)).collect::<Result<Vec<_>, _>>();
            let answers = answers.map_err(|error| format!("providers.{cluster}.{path}: {error}"))?;
            script.answer(&authority(scenario, cluster), path, answers);
        }
    }
    Ok(())
}

/// What differs between the calls so far and what the step expects of them.
pub(super) fn differences(script: &Script, scenario: &Scenario, check: &Check<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for (cluster, paths) in &check.step.calls {
        for (path, expected) in paths {
            let calls = script.calls(&authority(&scenario.name, cluster), path);
            let (least, most) = match *expected {
                Count::Exactly(count) => (count, count),
                Count::Between { at_least, at_most } => (at_least, at_most),
            };
            if !(least..=most).contains(&calls) {
                let expected = if least == most { least.to_string() } else { format!("{least} to {most}") };
                lines.push(format!("calls.{cluster}.{path}: expected {expected}, there were {calls}"));
            }
        }
    }
    lines.extend(check.step.asked.iter().flat_map(|asked| asked_differences(asked, script, scenario, check)));
    lines
}

fn asked_differences(expected: &Asked, script: &Script, scenario: &Scenario, check: &Check<'_>) -> Vec<String> {
    // In Envoy one script serves all scenarios.
    let clusters = scenario.providers.keys();
    let clusters = clusters.filter(|cluster| expected.cluster.as_ref().is_none_or(|wanted| wanted == *cluster));
    let authorities: Vec<String> = clusters.map(|cluster| authority(&scenario.name, cluster)).collect();
    let is_meant = |asked: &&provider::Asked| {
        let path = expected.path.as_deref().is_none_or(|path| path == asked.path || path == asked.resource());
        path && authorities.contains(&asked.authority)
    };
    let Some(asked) = script.asked().iter().rev().find(is_meant) else {
        return vec!["asked: no such call was made".to_owned()];
    };
    let mut lines = check.fields("asked header", &expected.headers, &expected.absent, &asked.headers);
    if let Some(method) = &expected.method
        && *method != asked.method
    {
        lines.push(format!("asked.method: expected {method}, it was {}", show(asked.method.as_bytes())));
    }
    if let Some(body) = &expected.body
        && let Err(line) = check.field(body, &[asked.body.as_slice()], false)
    {
        lines.push(format!("asked.body: {line}"));
    }
    lines
}

impl AnswerEntry {
    fn answer(&self, placeholders: &Placeholders<'_>) -> Result<Answer, String> {
        let Self { status, keys, json, text, headers, delay, fail } = self;
        let answer = match (keys, json, text, fail) {
            (Some(names), None, None, None) => {
                let names: Vec<&str> = names.split_whitespace().collect();
                Answer::json(&mint::jwks(&names).map_err(|error| error.to_string())?)
            }
            (None, Some(json), None, None) => Answer::json(&placeholders.json(json)?),
            (None, None, Some(text), None) => Answer::text(placeholders.bytes(text)?),
            (None, None, None, Some(failure)) => Answer::failing(*failure),
            (None, None, None, None) if status.is_some() => Answer::default(),
            _ => return Err("an answer is one of `keys`, `json`, `text` and `fail`, or a `status` alone".to_owned()),
        };
        let mut answer = answer.after(delay.as_ref().map_or(Ok(std::time::Duration::ZERO), |text| duration(text))?);
        answer.status = status.unwrap_or(answer.status);
        for (name, value) in headers {
            answer = answer.header(name, &placeholders.expand(value)?);
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_one_or_several_and_say_one_thing_each() {
        let yaml =
            "idp: {/jwks: {keys: rs1}, /a: [{json: {exp: '@now+1s'}, status: 201}, {fail: reset}, {status: 500}]}";
        let providers: Providers = serde_saphyr::from_str(yaml).unwrap();
        let tokens = BTreeMap::new();
        let mut script = Script::default();
        fill(&mut script, "a_b", &providers, &Placeholders::new("a_b", &tokens, 100)).unwrap();
        let mut ask = |path: &str| {
            script.ask(provider::Asked {
                authority: "a-b.idp.test".to_owned(),
                path: path.to_owned(),
                ..Default::default()
            })
        };
        assert_eq!(ask("/jwks").status, 200);
        let created = ask("/a?x");
        assert_eq!((created.status, created.body.as_ref()), (201, br#"{"exp":101}"#.as_slice()));
        assert_eq!(ask("/a").failure, Some(Failure::Reset));
        assert_eq!((ask("/a").status, ask("/a").status), (500, 500));

        let twice: Providers = serde_saphyr::from_str("idp: {/a: {text: a, fail: reset}}").unwrap();
        let placeholders = Placeholders::new("a_b", &tokens, 100);
        assert!(fill(&mut script, "a_b", &twice, &placeholders).unwrap_err().starts_with("providers.idp./a:"));
    }

    #[test]
    fn a_provider_is_a_scenarios_where_its_configuration_names_it() {
        let providers: Providers = serde_saphyr::from_str("idp: {/jwks: {keys: rs1}}").unwrap();
        assert!(are_named(&providers, "a_b", r#"{"url": "http://a-b.idp.test/jwks"}"#));
        assert!(!are_named(&providers, "a_b", r#"{"url": "http://a-c.idp.test/jwks"}"#));
    }
}
