//! The JSON Schema of configurations says what the filter says, and the documentation made of it is up to date.
//!
//! `make pages` writes `docs/gatepost.schema.json` and `docs/configuration.md` anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use gatepost::{
    config::{
        self, ConfigError, ConfigErrorKind,
        describe::{self, Definition, Kind, Shape},
    },
    route::template::TemplateError,
};
use jsonschema::Validator;
use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};
use wasm_test_harness::{
    generated, mint, reference,
    scenario::{Expectation, Table},
    schema,
};

#[path = "schema/sides.rs"]
mod sides;

#[test]
fn the_schema_and_the_reference_are_pages_made_from_the_types() {
    let pages = [("docs/gatepost.schema.json", schema::text()), ("docs/configuration.md", reference::markdown())];
    generated::keep(None, &pages.map(|(path, content)| (path.to_owned(), content)));
}

#[test]
fn the_command_prints_the_schema() {
    let output = Command::new(env!("CARGO_BIN_EXE_gatepost")).arg("schema").output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), schema::text());
}

#[test]
fn the_schema_is_one_of_2020_12() {
    let schema: Value = serde_json::from_str(&schema::text()).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    jsonschema::draft202012::meta::validate(&schema).unwrap();
}

#[test]
fn all_that_a_configuration_may_hold_is_explained() {
    let definitions = describe::configuration();
    let mut unexplained: Vec<String> = Vec::new();
    for definition in &definitions {
        let mut told = |what: &str, doc: &str| {
            if !doc.ends_with('.') {
                unexplained.push(format!("{}.{what}: {doc:?}", definition.name));
            }
        };
        told("", &definition.doc);
        match &definition.kind {
            Kind::Object { members, .. } => members.iter().for_each(|member| told(member.name, &member.doc)),
            Kind::Choice(texts) => texts.iter().for_each(|(text, doc)| told(text, doc)),
            Kind::Tagged { .. } | Kind::Form(_) => {}
        }
    }
    assert_eq!(unexplained, [""; 0]);
    assert_eq!(reference::stale_titles(), [""; 0]);
}

#[test]
fn every_link_of_the_reference_leads_somewhere() {
    let page = reference::markdown();
    for target in page.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target) {
        match target.split_once('#') {
            Some(("", anchor)) => {
                let is_there = page.contains(&format!("<a id=\"{anchor}\"></a>")) || anchors(&page).contains(anchor);
                assert!(is_there, "{target}");
            }
            Some((file, anchor)) => {
                let text = fs::read_to_string(root().join("docs").join(file)).unwrap();
                assert!(anchors(&text).contains(anchor), "{target}");
            }
            None => assert!(root().join("docs").join(target).is_file(), "{target}"),
        }
    }
}

#[test]
fn configurations_in_the_documentation_have_the_shape() {
    let documented = documented();
    assert!(documented.len() >= 25, "{}", documented.len());
    for (place, configuration) in documented {
        let errors: Vec<_> = SCHEMA.iter_errors(&configuration).map(|error| error.to_string()).collect();
        assert_eq!(errors, [""; 0], "{place}");
    }
}

#[test]
fn the_schema_and_the_filter_agree_about_every_scenario() {
    let table = scenarios();
    let mut refused = 0;
    for scenario in &table.scenarios {
        let errors = errors_of(&scenario.configuration, &table.environment);
        sides::assert_agree(&SCHEMA, &scenario.configuration, &errors);
        refused += usize::from(matches!(scenario.expectation, Expectation::Refused { .. }));
    }
    assert!(refused >= 20, "{refused}");
}

#[test]
fn defaults_are_those_of_the_filter() {
    let definitions = describe::configuration();
    let mut open: BTreeSet<(&str, &str)> = BTreeSet::new();
    for definition in &definitions {
        if let Kind::Object { members, .. } = &definition.kind {
            let with_default = members.iter().filter(|member| member.default.is_some());
            open.extend(with_default.map(|member| (definition.name, member.name)));
        }
    }
    let environment = scenarios().environment;
    for configuration in GOOD.iter().chain([&*SPARSE]) {
        let mut objects = Vec::new();
        collect_objects(&definitions, &definitions[0], configuration, String::new(), &mut objects);
        for (definition, place) in objects {
            let Kind::Object { members, .. } = &definition.kind else { continue };
            for member in members {
                let Some(default) = member.default.filter(|_| open.contains(&(definition.name, member.name))) else {
                    continue;
                };
                let mut explicit = configuration.clone();
                let object = explicit.pointer_mut(&place).unwrap().as_object_mut().unwrap();
                let default = serde_json::from_str(default).expect("defaults are JSON");
                if object.insert(member.name.to_owned(), default).is_some() {
                    continue;
                }
                // Not every member can stand in every object.
                if let (Some(with), Some(without)) =
                    (compiled(&explicit, &environment), compiled(configuration, &environment))
                {
                    assert_eq!(with, without, "{}.{}", definition.name, member.name);
                    open.remove(&(definition.name, member.name));
                }
            }
        }
    }
    assert!(open.is_empty(), "no configuration shows whether these defaults are true: {open:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_schema_and_the_filter_agree_about_what_is_broken(
        which in any::<Index>(), place in any::<Index>(), mutation in mutation(),
    ) {
        let mut configuration = which.get(&GOOD).clone();
        let mut places = Vec::new();
        collect_places(&configuration, String::new(), &mut places);
        mutation.apply(&mut configuration, &places[place.index(places.len())]);
        let text = configuration.to_string();
        sides::assert_agree(&SCHEMA, &text, &errors_of(&text, &ENVIRONMENT));
    }
}

/// What is done to a good configuration.
#[derive(Clone, Debug)]
enum Mutation {
    /// The value is left out.
    Remove,
    /// There is another in its place.
    Replace(Value),
    /// It gets one more member.
    Add(Value),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let values = [
        json!(null),
        json!(true),
        json!(false),
        json!(7),
        json!(0),
        json!(-1),
        json!(1.5),
        json!("text"),
        json!(""),
        json!([]),
        json!({}),
        json!([null]),
        json!(["text"]),
        json!([{}]),
        json!({"text": "text"}),
        json!("*"),
        json!("30s"),
    ];
    let value = prop::sample::select(values.to_vec());
    prop_oneof![Just(Mutation::Remove), value.clone().prop_map(Mutation::Replace), value.prop_map(Mutation::Add),]
}

impl Mutation {
    fn apply(self, configuration: &mut Value, place: &str) {
        match self {
            Self::Replace(value) => *configuration.pointer_mut(place).unwrap() = value,
            Self::Add(value) => {
                if let Some(object) = configuration.pointer_mut(place).unwrap().as_object_mut() {
                    object.insert("unheard-of".to_owned(), value);
                }
            }
            Self::Remove => {
                let Some((parent, name)) = place.rsplit_once('/') else { return };
                match configuration.pointer_mut(parent).unwrap() {
                    Value::Object(members) => drop(members.remove(&name.replace("~1", "/").replace("~0", "~"))),
                    Value::Array(items) => drop(items.remove(name.parse().unwrap())),
                    _ => unreachable!("a place is in an object or a list"),
                }
            }
        }
    }
}

/// The JSON pointers (RFC 6901) of a value and all in it.
fn collect_places(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                collect_places(value, format!("{place}/{}", escaped(name)), places);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                collect_places(value, format!("{place}/{index}"), places);
            }
        }
        _ => {}
    }
    places.push(place);
}

/// The objects in a value that have a definition, with their places.
fn collect_objects<'d>(
    definitions: &'d [Definition],
    definition: &'d Definition,
    value: &Value,
    place: String,
    objects: &mut Vec<(&'d Definition, String)>,
) {
    match (&definition.kind, value) {
        (Kind::Object { members, .. }, Value::Object(values)) => {
            objects.push((definition, place.clone()));
            for member in members {
                if let Some(value) = values.get(member.name) {
                    collect_in(definitions, &member.shape, value, format!("{place}/{}", escaped(member.name)), objects);
                }
            }
        }
        (Kind::Tagged { tag, variants }, Value::Object(_)) => {
            let (_, name) = variants.iter().find(|(text, _)| value[*tag] == **text).unwrap();
            collect_in(definitions, &Shape::Reference(name), value, place, objects);
        }
        (Kind::Form(shape), value) => collect_in(definitions, shape, value, place, objects),
        _ => {}
    }
}

fn collect_in<'d>(
    definitions: &'d [Definition],
    shape: &Shape,
    value: &Value,
    place: String,
    objects: &mut Vec<(&'d Definition, String)>,
) {
    match (shape, value) {
        (Shape::Reference(name), value) => {
            let definition = definitions.iter().find(|definition| definition.name == *name).unwrap();
            collect_objects(definitions, definition, value, place, objects);
        }
        (Shape::List { items: shape, .. }, Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                collect_in(definitions, shape, item, format!("{place}/{index}"), objects);
            }
        }
        (Shape::Map { values: shape, .. }, Value::Object(members)) => {
            for (name, value) in members {
                collect_in(definitions, shape, value, format!("{place}/{}", escaped(name)), objects);
            }
        }
        (Shape::AnyOf(shapes), value) => {
            shapes.iter().for_each(|shape| collect_in(definitions, shape, value, place.clone(), objects));
        }
        _ => {}
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// What a configuration compiles to, in words: the lines in alphabetical order, as sets have none.
fn compiled(configuration: &Value, environment: &BTreeMap<String, String>) -> Option<Vec<String>> {
    let gateway = config::load(configuration.to_string().as_bytes(), &variable(environment)).ok()?;
    let mut lines: Vec<_> = format!("{gateway:#?}").lines().map(str::to_owned).collect();
    lines.sort_unstable();
    Some(lines)
}

fn errors_of(text: &str, environment: &BTreeMap<String, String>) -> Vec<ConfigError> {
    config::load(text.as_bytes(), &variable(environment)).err().unwrap_or_default()
}

fn variable(environment: &BTreeMap<String, String>) -> impl Fn(&str) -> Option<String> {
    |name| match name {
        "IDENTITY_TOKEN_KEY" => Some(mint::private_text("es1").unwrap()),
        "PARTNER_SECRET" | "INTROSPECTION_SECRET" => Some("0123456789abcdef0123456789abcdef".to_owned()),
        name => environment.get(name).cloned(),
    }
}

/// The configurations that the documentation shows, and where.
fn documented() -> Vec<(String, Value)> {
    let mut pages: Vec<PathBuf> =
        fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.push(root().join("README.md"));
    let mut documented = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for block in blocks(&text, "json") {
            documented.push((page.display().to_string(), serde_json::from_str(&block).unwrap()));
        }
        for block in blocks(&text, "yaml") {
            documented.extend(configurations_in(&block).map(|value| (page.display().to_string(), value)));
        }
    }
    let bootstrap = fs::read_to_string(root().join("envoy.yaml")).unwrap();
    documented.extend(configurations_in(&bootstrap).map(|value| ("envoy.yaml".to_owned(), value)));
    documented
}

/// The fenced blocks of a language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}");
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line == fence {
            blocks.push(lines.by_ref().take_while(|line| *line != "```").collect::<Vec<_>>().join("\n"));
        }
    }
    blocks
}

/// The plugin configurations in a bootstrap: its strings that are JSON objects.
fn configurations_in(bootstrap: &str) -> impl Iterator<Item = Value> + use<> {
    fn collect(tree: &Value, found: &mut Vec<Value>) {
        match tree {
            Value::String(text) => {
                found.extend(serde_json::from_str(text).ok().filter(|value: &Value| value.is_object()));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            Value::Object(members) => members.values().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(&serde_saphyr::from_str(bootstrap).unwrap(), &mut found);
    found.into_iter()
}

/// The anchors that a page's headings have.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings =
        page.lines().filter_map(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

fn scenarios() -> Table {
    Table::load(&root().join("tests/scenarios")).unwrap_or_else(|error| panic!("{error}"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(&schema::text()).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
});

static ENVIRONMENT: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| scenarios().environment);

/// Configurations that the filter accepts, each once.
static GOOD: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let table = scenarios();
    let of_scenarios = table.scenarios.iter().filter_map(|scenario| serde_json::from_str(&scenario.configuration).ok());
    let mut seen = BTreeSet::new();
    let all = documented().into_iter().map(|(_, configuration)| configuration).chain(of_scenarios);
    let good = all.filter(|value: &Value| errors_of(&value.to_string(), &table.environment).is_empty());
    good.filter(|value| seen.insert(value.to_string())).collect()
});

/// Objects that have nothing but what they must have.
static SPARSE: LazyLock<Value> = LazyLock::new(|| {
    let jwt = json!({"type": "jwt", "issuer": "i", "audiences": "a", "secret": "0123456789abcdef0123456789abcdef"});
    json!({
        "authenticators": {
            "jwt": jwt,
            "mtls": {"type": "mtls", "uri_sans": ["a"]},
            "fingerprints": {"type": "mtls", "fingerprints": ["0".repeat(64)]},
            "introspection": {"type": "introspection", "url": "http://a", "cluster": "c", "client_id": "i",
                              "client_secret": "s", "audiences": "a", "cache": {}},
            "signed": {"type": "hmac", "scheme": "generic", "keys": [{"id": "i", "secret": "s"}]},
            "keys": {"type": "api_key", "keys": [{"id": "i", "sha256": "0".repeat(64)}]}
        },
        "audit": {}, "cache": {}, "responses": {}, "rate_limit": {"requests": 1, "per": "1s"},
        "paths": [{"method": "GET", "path": "/", "auth": {"use": "jwt"}, "mapping": {"headers": {"x-a": {"value": "a"}}}}]
    })
});
