//! The files of `deploy/`, and the configurations in them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// Where one configuration of gatepost's stands.
pub struct Embedded {
    /// The file, below `deploy/`.
    pub file: String,
    /// The filter's name.
    pub name: String,
    /// The plugin's configuration.
    pub configuration: Value,
    /// What of the host's environment the plugin sees.
    pub host_variables: Vec<String>,
    /// The message `envoy.extensions.wasm.v3.PluginConfig`, where the manifest has one.
    pub plugin: Option<Value>,
}

/// `deploy/`, with `path` after it.
pub fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(path)
}

/// The documents of a YAML file.
pub fn documents(path: &str) -> Vec<Value> {
    let text = fs::read_to_string(deploy(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The only document of a YAML file.
pub fn document(path: &str) -> Value {
    let mut documents = documents(path);
    assert_eq!(documents.len(), 1, "{path}");
    documents.remove(0)
}

/// Every YAML file, below `deploy/`.
pub fn files() -> Vec<String> {
    let mut files = Vec::new();
    for folder in fs::read_dir(deploy("")).unwrap() {
        let folder = folder.unwrap();
        if !folder.file_type().unwrap().is_dir() {
            continue;
        }
        for file in fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap().file_name().into_string().unwrap();
            if file.ends_with(".yaml") {
                files.push(format!("{}/{file}", folder.file_name().to_string_lossy()));
            }
        }
    }
    files.sort();
    files
}

/// Every Kubernetes object of every file, with the file.
pub fn objects() -> Vec<(String, Value)> {
    let objects = files().into_iter().flat_map(|file| {
        let documents = documents(&file);
        documents.into_iter().map(move |document| (file.clone(), document))
    });
    // kustomize reads its files itself; the API server never sees them.
    objects.filter(|(_, document)| document["kind"].is_string() && document["kind"] != "Kustomization").collect()
}

/// The objects of one kind in a folder.
pub fn of_kind(folder: &str, kind: &str) -> Vec<Value> {
    let folder = format!("{folder}/");
    let all = objects().into_iter();
    all.filter(|(file, object)| file.starts_with(&folder) && object["kind"] == kind).map(|(_, object)| object).collect()
}

/// Every configuration of gatepost's.
pub fn embedded() -> Vec<Embedded> {
    let mut found = Vec::new();
    for file in files() {
        for document in documents(&file) {
            match document["kind"].as_str() {
                Some("WasmPlugin") => found.push(of_wasm_plugin(&file, &document)),
                Some("EnvoyExtensionPolicy") => {
                    let wasm = document["spec"]["wasm"].as_array().unwrap();
                    found.extend(wasm.iter().map(|wasm| of_extension_policy(&file, wasm)));
                }
                _ => collect_filters(&file, &document, &mut found),
            }
        }
    }
    found
}

/// The filter's type, wherever Envoy's own messages stand.
pub const FILTER: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

fn of_wasm_plugin(file: &str, object: &Value) -> Embedded {
    let variables = object["spec"]["vmConfig"]["env"].as_array().unwrap().iter();
    Embedded {
        file: file.to_owned(),
        name: object["spec"]["pluginName"].as_str().unwrap().to_owned(),
        configuration: object["spec"]["pluginConfig"].clone(),
        host_variables: variables
            .map(|variable| {
                assert_eq!(variable["valueFrom"], "HOST", "{file}: {variable}");
                variable["name"].as_str().unwrap().to_owned()
            })
            .collect(),
        plugin: None,
    }
}

fn of_extension_policy(file: &str, wasm: &Value) -> Embedded {
    Embedded {
        file: file.to_owned(),
        name: wasm["name"].as_str().unwrap().to_owned(),
        configuration: wasm["config"].clone(),
        host_variables: strings(&wasm["env"]["hostKeys"]),
        plugin: None,
    }
}

fn collect_filters(file: &str, tree: &Value, found: &mut Vec<Embedded>) {
    if tree["@type"] == FILTER {
        let plugin = &tree["config"];
        assert!(plugin["configuration"]["@type"].as_str().unwrap().ends_with("google.protobuf.StringValue"), "{file}");
        let text = plugin["configuration"]["value"].as_str().unwrap();
        let name = plugin["name"].as_str().unwrap().to_owned();
        assert_eq!(plugin["failure_policy"], "FAIL_CLOSED", "{file}: {name}");
        found.push(Embedded {
            file: file.to_owned(),
            configuration: serde_json::from_str(text).unwrap_or_else(|error| panic!("{file}: {name}: {error}")),
            host_variables: strings(&plugin["vm_config"]["environment_variables"]["host_env_keys"]),
            name,
            plugin: Some(plugin.clone()),
        });
        return;
    }
    match tree {
        Value::Object(members) => members.values().for_each(|member| collect_filters(file, member, found)),
        Value::Array(items) => items.iter().for_each(|item| collect_filters(file, item, found)),
        _ => {}
    }
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// What the manifests expect in the environment, for a test.
pub fn environment(name: &str) -> Option<String> {
    match name {
        "GITHUB_WEBHOOK_SECRET" => Some(WEBHOOK_SECRET.to_owned()),
        "IDENTITY_TOKEN_KEY" => Some(wasm_test_harness::mint::private_text("ed1").unwrap()),
        _ => None,
    }
}

/// The secret that webhooks are signed with.
pub const WEBHOOK_SECRET: &str = "the secret of a test's webhook";
