//! gatepost's configurations: good ones, all the same one, and of clusters that are there.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::manifests::{self, Embedded};

#[test]
fn every_configuration_compiles() {
    let embedded = manifests::embedded();
    let places: Vec<_> = embedded.iter().map(|one| (one.file.as_str(), one.name.as_str())).collect();
    let expected = [
        ("envoy-gateway/gatepost.yaml", "gatepost"),
        ("envoy/envoy.yaml", "gatepost"),
        ("envoy/per-route.yaml", "gatepost-api"),
        ("envoy/per-route.yaml", "gatepost-partners"),
        ("istio/gatepost-envoyfilter.yaml", "gatepost"),
        ("istio/gatepost-wasmplugin.yaml", "gatepost"),
    ];
    assert_eq!(places, expected);
    for one in embedded {
        // The environment is what the manifest lets through, and nothing besides.
        let visible =
            |name: &str| one.host_variables.iter().any(|n| n == name).then(|| manifests::environment(name)).flatten();
        let loaded = gatepost::config::load(one.configuration.to_string().as_bytes(), &visible);
        if let Err(errors) = loaded {
            let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
            panic!("{}: {}: {}", one.file, one.name, errors.join("\n"));
        }
        for name in &one.host_variables {
            let quoted = format!("{{\"env\":\"{name}\"}}");
            assert!(one.configuration.to_string().contains(&quoted), "{}: {name} is let through for nothing", one.file);
        }
    }
}

#[test]
fn all_hosts_have_one_configuration() {
    let embedded = manifests::embedded();
    let of = |file: &str| embedded.iter().find(|one| one.file == file).unwrap_or_else(|| panic!("{file}"));
    let expected = of_no_host(&of("envoy/envoy.yaml").configuration);
    assert_eq!(of_no_host(&of("istio/gatepost-envoyfilter.yaml").configuration), expected);
    // Hosts that cannot hold bodies, which each of these files says.
    let without_webhooks = without_webhooks(expected);
    for file in ["istio/gatepost-wasmplugin.yaml", "envoy-gateway/gatepost.yaml"] {
        assert_eq!(of_no_host(&of(file).configuration), without_webhooks, "{file}");
        let text = std::fs::read_to_string(manifests::deploy(file)).unwrap();
        assert!(text.contains("allow_on_headers_stop_iteration"), "{file}");
    }
}

#[test]
fn bodies_are_held_wherever_signatures_are_verified() {
    for one in manifests::embedded() {
        let signed = one.configuration.to_string().contains("\"type\":\"hmac\"");
        let held = one.plugin.as_ref().is_some_and(|plugin| plugin["allow_on_headers_stop_iteration"] == true);
        assert_eq!(signed, held, "{}: {}", one.file, one.name);
    }
}

#[test]
fn every_cluster_of_a_configuration_is_there() {
    for one in manifests::embedded() {
        let mut named = BTreeSet::new();
        clusters(&one.configuration, &mut named);
        let known = known_clusters(&one);
        assert!(named.is_subset(&known), "{}: {}: {named:?}, and there are {known:?}", one.file, one.name);
    }
}

/// The configuration without what differs from host to host: names of clusters, and who chooses the service.
fn of_no_host(configuration: &Value) -> Value {
    let mut configuration = configuration.clone();
    configuration.as_object_mut().unwrap().remove("servers");
    configuration["authenticators"]["users"]["jwks"]["remote"].as_object_mut().unwrap().remove("cluster").unwrap();
    for path in configuration["paths"].as_array_mut().unwrap() {
        path.as_object_mut().unwrap().remove("integration");
    }
    configuration
}

fn without_webhooks(mut configuration: Value) -> Value {
    configuration["authenticators"].as_object_mut().unwrap().remove("github").unwrap();
    let paths = configuration["paths"].as_array_mut().unwrap();
    let all = paths.len();
    paths.retain(|path| path["auth"] != "github");
    assert_eq!(paths.len() + 1, all);
    configuration
}

fn clusters(tree: &Value, named: &mut BTreeSet<String>) {
    match tree {
        Value::Object(members) => {
            for (name, member) in members {
                if let (true, Some(cluster)) = (name == "cluster" || name == "jwks_cluster", member.as_str()) {
                    named.insert(cluster.to_owned());
                }
                clusters(member, named);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| clusters(item, named)),
        _ => {}
    }
}

/// The clusters that a host of this manifest has, by the names that the host gives them.
fn known_clusters(one: &Embedded) -> BTreeSet<String> {
    match one.file.split('/').next().unwrap() {
        "envoy" => {
            let bootstrap = manifests::document(&one.file);
            let clusters = bootstrap["static_resources"]["clusters"].as_array().unwrap().iter();
            clusters.map(|cluster| cluster["name"].as_str().unwrap().to_owned()).collect()
        }
        // Istio: `outbound|<port>|<subset>|<host>`, of which TLS is made by a DestinationRule.
        "istio" => {
            let rules = manifests::of_kind("istio", "DestinationRule");
            let verified = |host: &str| {
                let rule = rules.iter().find(|rule| rule["spec"]["host"] == host);
                let tls = rule.map(|rule| &rule["spec"]["trafficPolicy"]["tls"]);
                tls.is_some_and(|tls| {
                    tls["mode"] == "SIMPLE" && tls["sni"] == host && tls["subjectAltNames"][0] == host
                })
            };
            let entries = manifests::of_kind("istio", "ServiceEntry");
            let names = entries.iter().flat_map(|entry| {
                let host = entry["spec"]["hosts"][0].as_str().unwrap();
                assert!(verified(host), "{host}: no TLS that checks the certificate and its name");
                let ports = entry["spec"]["ports"].as_array().unwrap().iter();
                ports.map(move |port| format!("outbound|{}||{host}", port["number"]))
            });
            names.collect()
        }
        // Envoy Gateway: `httproute/<namespace>/<name>/rule/<number>`; TLS is a BackendTLSPolicy's.
        "envoy-gateway" => {
            let policies = manifests::of_kind("envoy-gateway", "BackendTLSPolicy");
            let routes = manifests::of_kind("envoy-gateway", "HTTPRoute");
            let names = routes.iter().flat_map(|route| {
                let (metadata, rules) = (&route["metadata"], route["spec"]["rules"].as_array().unwrap());
                for backend in rules.iter().map(|rule| &rule["backendRefs"][0]).filter(|one| one["kind"] == "Backend") {
                    let of_it = |policy: &&Value| policy["spec"]["targetRefs"][0]["name"] == backend["name"];
                    assert!(policies.iter().any(|policy| of_it(&policy)), "{backend}: no BackendTLSPolicy");
                }
                let (namespace, name) = (metadata["namespace"].as_str().unwrap(), metadata["name"].as_str().unwrap());
                (0..rules.len()).map(move |number| format!("httproute/{namespace}/{name}/rule/{number}"))
            });
            names.collect()
        }
        other => panic!("{other}: which clusters does it have?"),
    }
}
