//! What Prometheus is told: every metric of the table, under the names and labels that envoy.yaml's rules make of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

use gatepost::metrics::{Kind, Label, Metric};
use prometheus_parse::{Sample, Scrape, Value as Measured};
use serde_json::json;
use wasm_test_harness::provider::{Answer, Provider};

use super::gateway::{API_KEY, IDP, Running, bearer, configuration, demo, read, token, until};

#[test]
fn prometheus_sees_every_metric_with_its_labels_and_exact_counts() {
    let provider = Provider::spawn().unwrap();
    provider.answer(IDP, "/jwks", [Answer::keys(&["es1"])]);
    provider.answer(IDP, "/revoked", [Answer::json(&json!({"revoked": []}))]);
    let active = Answer::json(&json!({"active": true, "sub": "user-1", "aud": "api"}));
    let inactive = Answer::json(&json!({"active": false}));
    provider.answer(IDP, "/introspect", [active, inactive, Answer::status(500)]);
    let running = Running::start(provider, "info", &[("gateway", configuration(json!({})))]);
    until("keys and list are there", || {
        let scrape = running.scrape();
        scrape.contains("gatepost_key_age_seconds{") && scrape.contains("gatepost_revocation_age_seconds{")
    });
    let user = bearer(&token(json!({})));
    (0..3).for_each(|_| running.get("/orders/7", &[("authorization", &user)], 200));
    running.get("/orders/7", &[("authorization", &bearer(&token(json!({"exp": "@now-5m"}))))], 401);
    (0..2).for_each(|_| running.get("/orders/7", &[], 401));
    running.get("/admin/7", &[("authorization", &user)], 403);
    running.get("/keys/7", &[("x-api-key", API_KEY)], 200);
    running.get("/keys/7", &[("x-api-key", "no such key")], 401);
    running.get("/limited", &[("x-api-key", API_KEY)], 200);
    running.get("/limited", &[("x-api-key", API_KEY)], 429);
    (0..2).for_each(|_| running.get("/opaque/7", &[("authorization", "Bearer one")], 200));
    running.get("/opaque/7", &[("authorization", "Bearer two")], 401);
    running.get("/opaque/7", &[("authorization", "Bearer three")], 503);
    running.get("/shadow/7", &[], 200);
    running.get("/health", &[], 200);
    running.get("/unknown", &[], 404);
    let expected: BTreeMap<&str, f64> = [
        ("requests authenticator=users outcome=allowed", 3.0),
        ("requests authenticator=users outcome=denied", 4.0),
        ("requests authenticator=users outcome=shadow_denied", 1.0),
        ("requests authenticator=machines outcome=allowed", 2.0),
        ("requests authenticator=machines outcome=denied", 2.0),
        ("requests authenticator=opaque-tokens outcome=allowed", 2.0),
        ("requests authenticator=opaque-tokens outcome=denied", 2.0),
        ("requests authenticator=none outcome=allowed", 1.0),
        ("requests authenticator=none outcome=denied", 1.0),
        ("denied reason=missing_credential", 3.0),
        ("denied reason=expired", 1.0),
        ("denied reason=insufficient_role", 1.0),
        ("denied reason=unknown_api_key", 1.0),
        ("denied reason=rate_limited", 1.0),
        ("denied reason=inactive_token", 1.0),
        ("denied reason=introspection_failed", 1.0),
        ("denied reason=no_route", 1.0),
        ("rate_limited limit=route", 1.0),
        ("token_cache authenticator=users result=hit", 3.0),
        ("token_cache authenticator=users result=miss", 2.0),
        ("token_cache authenticator=opaque-tokens result=hit", 1.0),
        ("token_cache authenticator=opaque-tokens result=miss", 3.0),
        ("key_fetches authenticator=users result=succeeded", 1.0),
        ("revocation_fetches authenticator=users result=succeeded", 1.0),
        ("introspections authenticator=opaque-tokens result=active", 1.0),
        ("introspections authenticator=opaque-tokens result=inactive", 1.0),
        ("introspections authenticator=opaque-tokens result=failed", 1.0),
        ("introspection_latency_ms authenticator=opaque-tokens", 2.0),
        ("config_generation", 1.0),
    ]
    .into();
    // Some counts come with the next tick, a histogram's with the next flush.
    let told = |samples: &BTreeMap<String, f64>| expected.iter().all(|(name, value)| samples.get(*name) == Some(value));
    let mut samples = samples(&running.scrape());
    let end = Instant::now() + Duration::from_secs(30);
    while !told(&samples) && Instant::now() < end {
        thread::sleep(Duration::from_millis(50));
        samples = self::samples(&running.scrape());
    }
    for age in ["key_age_seconds authenticator=users", "revocation_age_seconds authenticator=users"] {
        let seconds = samples.remove(age).unwrap_or_else(|| panic!("no {age}"));
        assert!(seconds < 600.0, "{age} is {seconds}");
    }
    let counted = samples.iter().filter(|(_, value)| **value > 0.0);
    let counted: BTreeMap<&str, f64> = counted.map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(counted, expected);
    // And nothing that the table does not have, or has otherwise.
    let told: BTreeSet<&str> = samples.keys().map(|name| name.split(' ').next().unwrap()).collect();
    for name in told {
        assert!(Metric::ALL.iter().any(|metric| metric.name() == name), "{name}");
    }
    assert!(running.envoy.traps().is_empty());
}

#[test]
fn the_rules_of_the_bootstraps_are_those_of_the_table() {
    let deployed: serde_json::Value = serde_saphyr::from_str(&read("deploy/envoy/envoy.yaml")).unwrap();
    let expected: Vec<_> = LABELS
        .iter()
        .map(|label| json!({"tag_name": format!("gatepost.{}", name_of(*label)), "regex": rule(*label)}))
        .collect();
    for bootstrap in [demo(), deployed] {
        assert_eq!(bootstrap["stats_config"]["stats_tags"], json!(expected));
    }
}

#[test]
fn the_page_has_the_table() {
    let mut rows = Vec::new();
    for metric in Metric::ALL {
        let labels: String = metric.labels().iter().map(|(label, _)| format!(".<{}>", name_of(*label))).collect();
        let kind = format!("{:?}", metric.kind()).to_lowercase();
        let (name, unit, help) = (metric.name(), metric.unit(), metric.help());
        rows.push(format!("| `gatepost.{name}{labels}` | {kind}, {unit} | {help} |"));
    }
    let (table, page) = (rows.join("\n"), read("docs/operations.md"));
    assert!(page.contains(&table), "docs/operations.md should have this table:\n{table}\n");
    for label in LABELS {
        let rule = rule(label);
        assert!(page.contains(&format!("regex: '{rule}'")), "docs/operations.md should have {rule}");
    }
}

/// What was told of gatepost: `requests authenticator=users outcome=allowed`, with its value, a histogram's count.
fn samples(scrape: &str) -> BTreeMap<String, f64> {
    // What Envoy writes for no labels is in the format, and not in the parser.
    let scrape = Scrape::parse(scrape.lines().map(|line| Ok(line.replace("{} ", " ")))).unwrap();
    let own = scrape.samples.iter().filter_map(|sample| Some((sample.metric.strip_prefix("gatepost_")?, sample)));
    own.filter_map(|(name, sample)| {
        let (name, value) = match &sample.value {
            Measured::Counter(value) | Measured::Gauge(value) => (name, *value),
            // A histogram comes in three parts, of which the parser joins the buckets.
            Measured::Histogram(_) => return None,
            Measured::Untyped(value) => (name.strip_suffix("_count")?, *value),
            Measured::Summary(_) => panic!("{name}: {:?}", sample.value),
        };
        let metric = Metric::ALL.iter().find(|metric| metric.name() == name).unwrap_or_else(|| panic!("{name}"));
        let is_kind = matches!(
            (&sample.value, metric.kind()),
            (Measured::Counter(_), Kind::Counter)
                | (Measured::Gauge(_), Kind::Gauge)
                | (Measured::Untyped(_), Kind::Histogram)
        );
        assert!(is_kind, "{name} is told as {:?}", sample.value);
        Some((labelled(name, metric, sample), value))
    })
    .collect()
}

fn labelled(name: &str, metric: &Metric, sample: &Sample) -> String {
    let labels = metric.labels().iter().map(|(label, _)| name_of(*label));
    let mut text = name.to_owned();
    for label in labels.clone() {
        let value = sample.labels.get(&format!("gatepost_{label}"));
        text += &format!(" {label}={}", value.unwrap_or_else(|| panic!("{name} has no {label}: {:?}", sample.labels)));
    }
    assert_eq!(sample.labels.len(), labels.count(), "{name}: {:?}", sample.labels);
    text
}

/// The rule that makes a label of its place in the names.
fn rule(label: Label) -> String {
    let place = |metric: &Metric| metric.labels().iter().position(|(other, _)| *other == label);
    let metrics: Vec<&Metric> = Metric::ALL.iter().filter(|metric| place(metric).is_some()).collect();
    let before = place(metrics[0]).unwrap();
    assert!(metrics.iter().all(|metric| place(metric) == Some(before)), "{label:?} has several places");
    let names: Vec<&str> = metrics.iter().map(|metric| metric.name()).collect();
    let before = r"\.[\w-]+".repeat(before);
    format!(r"^wasmcustom\.gatepost\.(?:{}){before}(\.([\w-]+))", names.join("|"))
}

pub fn name_of(label: Label) -> String {
    format!("{label:?}").to_lowercase()
}

const LABELS: [Label; 5] = [Label::Authenticator, Label::Outcome, Label::Reason, Label::Result, Label::Limit];
