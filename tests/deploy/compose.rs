//! The Compose file: by the Compose specification's schema, and with one way in.

use serde_json::{Value, json};

use crate::{manifests, schemas};

#[test]
fn the_compose_file_is_what_the_specification_says() {
    let file = manifests::document("compose/compose.yaml");
    let validator = schemas::validator("compose.json");
    let errors = |file: &Value| -> Vec<String> {
        validator.iter_errors(file).map(|error| format!("{}: {error}", error.instance_path())).collect()
    };
    assert_eq!(errors(&file), Vec::<String>::new());
    for (place, wrong) in [("/services/gateway/portz", json!([])), ("/services/orders/read_only", json!([true]))] {
        let mut broken = file.clone();
        let (parent, member) = place.rsplit_once('/').unwrap();
        broken.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(member.to_owned(), wrong);
        assert!(!errors(&broken).is_empty(), "{place} is taken");
    }
}

#[test]
fn no_service_of_the_compose_file_is_published() {
    let file = manifests::document("compose/compose.yaml");
    for (name, service) in file["services"].as_object().unwrap() {
        let expected = if name == "gateway" { json!(["127.0.0.1:8080:8080"]) } else { Value::Null };
        assert_eq!(service["ports"], expected, "{name}");
        assert!(service.get("network_mode").is_none(), "{name}");
        assert_eq!((&service["read_only"], &service["cap_drop"]), (&json!(true), &json!(["ALL"])), "{name}");
        if name != "gateway" {
            assert_eq!(service["networks"], json!(["services"]), "{name}");
        }
    }
    assert_eq!(file["networks"]["services"]["internal"], true);
}

#[test]
fn the_gateway_of_the_compose_file_has_what_its_envoy_looks_for() {
    let file = manifests::document("compose/compose.yaml");
    let gateway = &file["services"]["gateway"];
    let mounts: Vec<_> =
        gateway["volumes"].as_array().unwrap().iter().map(|one| (&one["source"], &one["target"])).collect();
    let expected = [
        (&json!("../envoy/envoy.yaml"), &json!("/etc/envoy/envoy.yaml")),
        (&json!("./plugin.wasm"), &json!("/etc/gatepost/plugin.wasm")),
    ];
    assert_eq!(mounts, expected);
    assert!(manifests::deploy("compose/../envoy/envoy.yaml").exists());
    let ignored = std::fs::read_to_string(manifests::deploy("compose/.gitignore")).unwrap();
    assert_eq!(ignored, "/plugin.wasm\n/secrets.env\n");
    // Whoever copies the example has every variable that the plugin reads.
    let example = std::fs::read_to_string(manifests::deploy("compose/secrets.env.example")).unwrap();
    let given = example.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let plugin = manifests::embedded().into_iter().find(|one| one.file == "envoy/envoy.yaml").unwrap();
    assert_eq!(given.map(|(name, _)| name).collect::<Vec<_>>(), plugin.host_variables);
}
