//! Kubernetes objects: by the schemas of their own APIs, and what they say of one another.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{manifests, schemas};

#[test]
fn every_object_is_what_its_api_says() {
    let objects = manifests::objects();
    assert!(objects.len() >= 30, "{}", objects.len());
    for (file, object) in objects {
        let errors = errors(&object);
        assert!(errors.is_empty(), "{file}: {}: {errors:#?}", object["kind"]);
    }
}

#[test]
fn an_unknown_member_is_refused_in_every_object() {
    for (file, object) in manifests::objects() {
        for place in ["", "/metadata", "/spec"] {
            let mut broken = object.clone();
            let Some(members) = broken.pointer_mut(place).and_then(Value::as_object_mut) else { continue };
            members.insert("failStrateggy".to_owned(), json!("FAIL_CLOSE"));
            assert!(!errors(&broken).is_empty(), "{file}: {} takes it in {place:?}", object["kind"]);
        }
    }
}

#[test]
fn what_somebody_may_get_wrong_is_refused() {
    let cases = [
        ("istio", "WasmPlugin", "/spec/failStrategy", json!("FAIL_CLOSED")),
        ("istio", "WasmPlugin", "/spec/sha256", json!("sha256:00")),
        ("istio", "WasmPlugin", "/spec/vmConfig/env/0/valueFrom", json!("SECRET")),
        ("istio", "PeerAuthentication", "/spec/mtls/mode", json!("strict")),
        ("istio", "EnvoyFilter", "/spec/configPatches/0/patch/operation", json!("ADDD")),
        ("envoy-gateway", "EnvoyExtensionPolicy", "/spec/wasm/0/failOpen", json!("no")),
        ("envoy-gateway", "EnvoyExtensionPolicy", "/spec/wasm/0/code/type", json!("OCI")),
        ("envoy-gateway", "BackendTLSPolicy", "/spec/validation/hostname", json!("*")),
        ("kubernetes", "Deployment", "/spec/replicas", json!("two")),
        ("kubernetes", "Deployment", "/spec/template/spec/containers/0/imagee", json!("envoy")),
        ("kubernetes", "NetworkPolicy", "/spec/podSelectors", json!({})),
    ];
    for (folder, kind, place, wrong) in cases {
        let mut object = manifests::of_kind(folder, kind).remove(0);
        assert!(errors(&object).is_empty());
        let (parent, member) = place.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(member.to_owned(), wrong);
        assert!(!errors(&object).is_empty(), "{kind}: {place} is taken");
    }
}

#[test]
fn kustomize_finds_what_it_is_told_to_take() {
    for folder in ["kubernetes", "envoy"] {
        let kustomization = manifests::document(&format!("{folder}/kustomization.yaml"));
        let generated = kustomization["configMapGenerator"].as_array().into_iter().flatten();
        let files = generated.flat_map(|map| map["files"].as_array().unwrap());
        for file in kustomization["resources"].as_array().into_iter().flatten().chain(files) {
            let path = manifests::deploy(folder).join(file.as_str().unwrap());
            assert!(path.exists(), "{folder}: {file}");
        }
    }
    let all: BTreeSet<_> = manifests::files().into_iter().filter(|file| file.starts_with("kubernetes/")).collect();
    let taken = manifests::document("kubernetes/kustomization.yaml")["resources"].clone();
    let taken = taken.as_array().unwrap().iter().map(|file| format!("kubernetes/{}", file.as_str().unwrap()));
    assert_eq!(taken.filter(|file| all.contains(file)).count() + 1, all.len(), "a file that kustomize does not take");
}

#[test]
fn the_deployment_fits_its_envoy() {
    let deployment = manifests::of_kind("kubernetes", "Deployment").remove(0);
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let bootstrap = manifests::document("envoy/envoy.yaml");

    // The ConfigMap is the one that kustomize makes, and the mounts are where Envoy looks.
    let generator = &manifests::document("envoy/kustomization.yaml")["configMapGenerator"][0];
    let volume = |name: &str| pod["volumes"].as_array().unwrap().iter().find(|volume| volume["name"] == name).cloned();
    assert_eq!(volume("envoy").unwrap()["configMap"]["name"], generator["name"]);
    let mounts: BTreeSet<_> = container["volumeMounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mount| mount["mountPath"].as_str().unwrap())
        .collect();
    assert_eq!(mounts, BTreeSet::from(["/etc/envoy", "/etc/gatepost"]));
    assert_eq!(container["args"][1], "/etc/envoy/envoy.yaml");
    let module = manifests::embedded().into_iter().find(|one| one.file == "envoy/envoy.yaml").unwrap().plugin.unwrap();
    assert_eq!(module["vm_config"]["code"]["local"]["filename"], "/etc/gatepost/plugin.wasm");

    // Ports are those of the listeners; what a probe asks for, a listener has.
    let ports = container["ports"].as_array().unwrap().iter();
    let ports: BTreeSet<_> = ports.map(|port| port["containerPort"].as_u64().unwrap()).collect();
    let listeners = bootstrap["static_resources"]["listeners"].as_array().unwrap().iter();
    let listening = listeners.map(|one| one["address"]["socket_address"]["port_value"].as_u64().unwrap());
    assert_eq!(ports, listening.collect());
    for probe in ["readinessProbe", "startupProbe"] {
        assert_eq!(container[probe]["httpGet"], json!({"path": "/ready", "port": "probes"}));
    }
    assert_eq!(bootstrap["admin"]["address"]["socket_address"]["address"], "127.0.0.1");
}

#[test]
fn services_are_reached_through_the_gateway_alone() {
    for service in manifests::of_kind("kubernetes", "Service") {
        let expected = if service["metadata"]["name"] == "gateway" { "LoadBalancer" } else { "ClusterIP" };
        assert_eq!(service["spec"]["type"], expected);
    }
    let policies = manifests::of_kind("kubernetes", "NetworkPolicy");
    let closed = |policy: &&Value| policy["spec"] == json!({"podSelector": {}, "policyTypes": ["Ingress"]});
    assert!(policies.iter().any(|policy| closed(&policy)), "nothing denies what nothing allows");
    let of_services = policies.iter().find(|one| one["metadata"]["name"] == "services-from-the-gateway").unwrap();
    let only = json!([{"podSelector": {"matchLabels": {"app": "gateway"}}}]);
    assert_eq!(of_services["spec"]["ingress"][0]["from"], only);

    assert_eq!(manifests::of_kind("istio", "PeerAuthentication")[0]["spec"], json!({"mtls": {"mode": "STRICT"}}));
    let policy = manifests::of_kind("istio", "AuthorizationPolicy").remove(0);
    assert_eq!(policy["spec"]["action"], "ALLOW");
    let principals = json!([{"source": {"principals": ["cluster.local/ns/istio-ingress/sa/istio-ingress"]}}]);
    assert_eq!(policy["spec"]["rules"], json!([{"from": principals}]));
    for host in ["istio", "envoy-gateway"] {
        let policy = manifests::of_kind(host, "NetworkPolicy").remove(0);
        let from = policy["spec"]["ingress"][0]["from"].as_array().unwrap();
        assert!(
            from.len() == 1 && from[0]["namespaceSelector"].is_object() && from[0]["podSelector"].is_object(),
            "{host}"
        );
    }
}

#[test]
fn nothing_is_open_where_the_filter_fails() {
    let plugin = manifests::of_kind("istio", "WasmPlugin").remove(0);
    assert_eq!((&plugin["spec"]["failStrategy"], &plugin["spec"]["phase"]), (&json!("FAIL_CLOSE"), &json!("AUTHN")));
    let policy = manifests::of_kind("envoy-gateway", "EnvoyExtensionPolicy").remove(0);
    assert_eq!(policy["spec"]["wasm"][0]["failOpen"], false);
    assert_eq!(policy["spec"]["targetRefs"][0]["kind"], "Gateway");
    // Those of Envoy's own are asserted where they are found.
    assert_eq!(manifests::embedded().iter().filter(|one| one.plugin.is_some()).count(), 4);
}

/// What an object's schema has against it.
fn errors(object: &Value) -> Vec<String> {
    let name = schemas::file_name(object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
    let validator = schemas::validator(&name);
    validator.iter_errors(object).map(|error| format!("{}: {error}", error.instance_path())).collect()
}
