//! The JSON Schemas in `tests/deploy/schemas`: made of what the APIs' own projects publish, by `make deploy-schemas`.
//!
//! One file for each kind that `deploy/` has, called as `kubeconform` looks for them. They are stricter than what they are
//! made of: an unknown member is an error, as it is to `kubectl apply --validate=strict`. Rules in CEL are not in them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

use crate::manifests;

/// Where the schemas are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/deploy/schemas")
}

/// The file of an object's schema: `deployment-apps-v1.json`, `service-v1.json`.
pub fn file_name(api_version: &str, kind: &str) -> String {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let group = group.split('.').next().filter(|group| !group.is_empty()).map(|group| format!("-{group}"));
    format!("{}{}-{version}.json", kind.to_lowercase(), group.unwrap_or_default())
}

/// The schema of a file, ready to validate.
pub fn validator(name: &str) -> jsonschema::Validator {
    let path = folder().join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}; run `make deploy-schemas`"));
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn there_are_schemas_for_what_is_deployed_and_no_others() {
    let expected: BTreeSet<String> = expected().into_values().chain(["compose.json".to_owned()]).collect();
    let there = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(there.filter(|name| name.ends_with(".json")).collect::<BTreeSet<_>>(), expected);
}

/// `make deploy-schemas` sets `GATEPOST_DEPLOY_MODULES` to where the APIs' modules were fetched, and
/// `GATEPOST_DEPLOY_SCHEMAS=accept` to have the schemas rewritten.
#[test]
#[ignore = "needs the APIs' modules: make deploy-schemas"]
fn the_schemas_are_those_of_the_apis() {
    let modules = PathBuf::from(std::env::var_os("GATEPOST_DEPLOY_MODULES").expect("GATEPOST_DEPLOY_MODULES is set"));
    let accept = std::env::var_os("GATEPOST_DEPLOY_SCHEMAS").is_some_and(|value| value == "accept");
    let kubernetes: Value =
        serde_json::from_str(&fs::read_to_string(modules.join("kubernetes.json")).unwrap()).unwrap();
    let definitions = kubernetes["definitions"].as_object().unwrap();
    let custom = custom_resources(&modules);
    let mut made = BTreeMap::new();
    for ((api_version, kind), file) in expected() {
        let schema = match custom.get(&(api_version.clone(), kind.clone())) {
            Some(schema) => of_custom_resource(schema, definitions),
            None => of_kubernetes(&api_version, &kind, definitions),
        };
        let schema = schema.unwrap_or_else(|| panic!("no API has a {kind} of {api_version}"));
        made.insert(file, of_one_kind(schema, &api_version, &kind));
    }
    let mut compose: Value = serde_json::from_str(&fs::read_to_string(modules.join("compose.json")).unwrap()).unwrap();
    without_comments(&mut compose, true);
    made.insert("compose.json".to_owned(), compose);
    for (name, schema) in made {
        let (path, text) = (folder().join(&name), format!("{schema}\n"));
        if accept {
            fs::write(&path, text).unwrap();
        } else {
            assert!(fs::read_to_string(&path).unwrap() == text, "{name} is not what the API says: make deploy-schemas");
        }
    }
}

/// The kinds that `deploy/` has, with the files of their schemas.
fn expected() -> BTreeMap<(String, String), String> {
    let objects = manifests::objects().into_iter();
    let kinds = objects.map(|(_, object)| {
        let (api_version, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
        ((api_version.to_owned(), kind.to_owned()), file_name(api_version, kind))
    });
    kinds.collect()
}

/// The schemas of all custom resource definitions, by API version and kind.
fn custom_resources(modules: &Path) -> BTreeMap<(String, String), Value> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(modules.join("crds")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        // Some are templates of a chart, whose conditions stand on lines of their own.
        let text: String =
            text.lines().filter(|line| !line.starts_with("{{")).fold(String::new(), |all, line| all + line + "\n");
        for document in text.split("\n---\n").filter(|document| document.contains("kind: CustomResourceDefinition")) {
            let definition: Value = serde_saphyr::from_str(document).unwrap();
            let spec = &definition["spec"];
            for version in spec["versions"].as_array().unwrap() {
                let api = format!("{}/{}", spec["group"].as_str().unwrap(), version["name"].as_str().unwrap());
                let kind = spec["names"]["kind"].as_str().unwrap().to_owned();
                found.insert((api, kind), version["schema"]["openAPIV3Schema"].clone());
            }
        }
    }
    found
}

fn of_custom_resource(schema: &Value, definitions: &Map<String, Value>) -> Option<Value> {
    let mut schema = schema.clone();
    without_comments(&mut schema, true);
    strict(&mut schema);
    // Of `metadata` a definition says nothing: the API server has its own.
    let mut needed = BTreeMap::new();
    require(OBJECT_META, definitions, &mut needed);
    schema["properties"]["metadata"] = json!({"$ref": format!("#/definitions/{OBJECT_META}")});
    schema["definitions"] = needed.into_iter().collect::<Map<_, _>>().into();
    Some(schema)
}

fn of_kubernetes(api_version: &str, kind: &str, definitions: &Map<String, Value>) -> Option<Value> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let name = definitions.iter().find_map(|(name, definition)| {
        let is_it = |one: &Value| one["group"] == group && one["version"] == version && one["kind"] == kind;
        definition["x-kubernetes-group-version-kind"].as_array()?.iter().any(is_it).then_some(name)
    })?;
    let mut needed = BTreeMap::new();
    require(name, definitions, &mut needed);
    let mut schema = needed.remove(name)?;
    schema["definitions"] = needed.into_iter().collect::<Map<_, _>>().into();
    Some(schema)
}

/// A definition and all that it refers to.
fn require(name: &str, definitions: &Map<String, Value>, needed: &mut BTreeMap<String, Value>) {
    if needed.contains_key(name) {
        return;
    }
    let mut definition = definitions[name].clone();
    without_comments(&mut definition, true);
    match name.rsplit('.').next() {
        // Published as strings; the API server takes numbers as well.
        Some("IntOrString") => definition = json!({"type": ["integer", "string"]}),
        Some("Quantity") => definition = json!({"type": ["number", "string"]}),
        _ => strict(&mut definition),
    }
    needed.insert(name.to_owned(), definition.clone());
    let mut references = BTreeSet::new();
    collect_references(&definition, &mut references);
    references.iter().for_each(|reference| require(reference, definitions, needed));
}

fn collect_references(tree: &Value, found: &mut BTreeSet<String>) {
    match tree {
        Value::Object(members) => {
            if let Some(name) = tree["$ref"].as_str().and_then(|text| text.strip_prefix("#/definitions/")) {
                found.insert(name.to_owned());
            }
            members.values().for_each(|member| collect_references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, found)),
        _ => {}
    }
}

fn of_one_kind(mut schema: Value, api_version: &str, kind: &str) -> Value {
    schema["properties"]["apiVersion"] = json!({"const": api_version});
    schema["properties"]["kind"] = json!({"const": kind});
    // The server's to write.
    schema["properties"].as_object_mut().unwrap().remove("status");
    let required = schema["required"].as_array().cloned().unwrap_or_default().into_iter();
    let required: BTreeSet<String> = required
        .map(|name| name.as_str().unwrap().to_owned())
        .chain(["apiVersion", "kind", "metadata"].map(str::to_owned))
        .collect();
    schema["required"] = json!(required);
    schema
}

/// Takes away what is said to people and to the API server's other parts. `keywords` tells whether the members of this
/// object are keywords, or the names of properties.
fn without_comments(tree: &mut Value, keywords: bool) {
    match tree {
        Value::Object(members) => {
            if keywords {
                let comment = |name: &str| matches!(name, "description" | "default" | "example" | "format" | "title");
                let kept = ["x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string"];
                members.retain(|name, _| !comment(name) && (!name.starts_with("x-") || kept.contains(&name.as_str())));
            }
            for (name, member) in members {
                let names =
                    keywords && matches!(name.as_str(), "properties" | "patternProperties" | "definitions" | "$defs");
                without_comments(member, !names);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| without_comments(item, true)),
        _ => {}
    }
}

/// Closes every object, and says in JSON Schema what OpenAPI says otherwise.
fn strict(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(strict);
            let open = members.remove("x-kubernetes-preserve-unknown-fields").is_some_and(|value| value == true);
            if members.remove("x-kubernetes-int-or-string").is_some_and(|value| value == true) {
                members.remove("anyOf");
                members.insert("type".to_owned(), json!(["integer", "string"]));
            }
            // Only where a type is said: the branches of an `anyOf` speak of members that stand elsewhere.
            let object = members.get("type").is_some_and(|kind| kind == "object");
            if object && !open && members.contains_key("properties") && !members.contains_key("additionalProperties") {
                members.insert("additionalProperties".to_owned(), json!(false));
            }
            if members.remove("nullable").is_some_and(|value| value == true)
                && let Some(kind) = members.get_mut("type")
            {
                *kind = json!([kind.clone(), "null"]);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strict),
        _ => {}
    }
}

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
