//! The dashboard and the alert rules ask for what there is.

use std::collections::BTreeSet;

use gatepost::metrics::{Kind, Metric};
use promql_parser::{
    label::Matchers,
    parser::{self, Expr, LabelModifier, VectorSelector},
    util::{ExprVisitor, walk_expr},
};
use serde_json::Value;

use super::{gateway::read, metrics::name_of};

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/gatepost.json")).unwrap();
    let mut expressions = Vec::new();
    collect(&dashboard, "expr", &mut expressions);
    assert!(expressions.len() > 10, "{}", expressions.len());
    let asked: BTreeSet<String> = expressions.iter().flat_map(|expression| check(expression)).collect();
    let missing: Vec<&str> =
        Metric::ALL.iter().map(|metric| metric.name()).filter(|name| !asked.contains(*name)).collect();
    assert!(missing.is_empty(), "the dashboard shows nothing of {missing:?}");
    let mut ids = Vec::new();
    collect(&dashboard["panels"], "id", &mut ids);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "two panels have one id");
}

#[test]
fn the_alerts_ask_for_what_there_is_and_say_what_to_do() {
    let rules: Value = serde_saphyr::from_str(&read("deploy/prometheus/gatepost.rules.yaml")).unwrap();
    let page = read("docs/operations.md");
    let groups = rules["groups"].as_array().unwrap();
    let rules: Vec<&Value> = groups.iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    assert!(rules.len() >= 6, "{}", rules.len());
    for rule in rules {
        let name = rule["alert"].as_str().unwrap();
        assert!(!check(rule["expr"].as_str().unwrap()).is_empty(), "{name}");
        assert!(["warning", "critical"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{name}");
        assert!(rule["annotations"]["summary"].as_str().is_some_and(|text| !text.is_empty()), "{name}");
        assert!(page.contains(&format!("| `{name}` |")), "docs/operations.md does not say what to do about {name}");
    }
}

/// The metrics that an expression asks for, each with labels that it has.
fn check(expression: &str) -> BTreeSet<String> {
    let text = expression.replace("$__rate_interval", "5m").replace("$authenticator", "users");
    let parsed = parser::parse(&text).unwrap_or_else(|error| panic!("{expression}: {error}"));
    let mut found = Found::default();
    walk_expr(&mut found, &parsed).unwrap();
    let mut known = BTreeSet::from(["job".to_owned(), "instance".to_owned(), "le".to_owned()]);
    for name in &found.metrics {
        let metric = Metric::ALL.iter().find(|metric| metric.name() == name);
        let metric = metric.unwrap_or_else(|| panic!("{expression} asks for gatepost_{name}, which is not there"));
        known.extend(metric.labels().iter().map(|(label, _)| format!("gatepost_{}", name_of(*label))));
        for (label, values) in metric.labels() {
            for (asked, value) in &found.values {
                let is_it = *asked == format!("gatepost_{}", name_of(*label)) && !values.is_empty();
                assert!(!is_it || values.contains(&value.as_str()), "{expression}: no {asked} is {value}");
            }
        }
    }
    let strange: Vec<&String> = found.labels.difference(&known).collect();
    assert!(strange.is_empty(), "{expression} asks for {strange:?}");
    found.metrics
}

#[derive(Default)]
struct Found {
    metrics: BTreeSet<String>,
    labels: BTreeSet<String>,
    /// Labels that have to have a value.
    values: Vec<(String, String)>,
}

impl Found {
    fn select(&mut self, selector: &VectorSelector) {
        let VectorSelector { name, matchers: Matchers { matchers, .. }, .. } = selector;
        let name = name.as_deref().and_then(|name| name.strip_prefix("gatepost_")).expect("a metric of gatepost's");
        // What Prometheus makes of a histogram.
        let of_histogram = ["_bucket", "_count", "_sum"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .filter(|name| Metric::ALL.iter().any(|metric| metric.name() == *name && metric.kind() == Kind::Histogram));
        self.metrics.insert(of_histogram.unwrap_or(name).to_owned());
        for matcher in matchers {
            self.labels.insert(matcher.name.clone());
            if matcher.op.to_string() == "=" {
                self.values.push((matcher.name.clone(), matcher.value.clone()));
            }
        }
    }
}

impl ExprVisitor for Found {
    type Error = ();

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, ()> {
        match expression {
            Expr::VectorSelector(selector) => self.select(selector),
            Expr::MatrixSelector(selector) => self.select(&selector.vs),
            Expr::Aggregate(aggregate) => match &aggregate.modifier {
                Some(LabelModifier::Include(labels) | LabelModifier::Exclude(labels)) => {
                    self.labels.extend(labels.labels.iter().cloned());
                }
                None => {}
            },
            _ => {}
        }
        Ok(true)
    }
}

fn collect(json: &Value, name: &str, found: &mut Vec<String>) {
    match json {
        Value::Object(members) => members.iter().for_each(|(member, value)| {
            if member == name {
                found.push(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            }
            collect(value, name, found);
        }),
        Value::Array(items) => items.iter().for_each(|item| collect(item, name, found)),
        _ => {}
    }
}
