//! What `make dist` makes of the module is an image that proxies and container runtimes take, the same one every time.

use std::{fs, io::Read as _, path::Path, process::Command};

use serde_json::{Value, json};
use wasm_test_harness::{
    echo::sha256,
    image::{Image, Labels},
    module_path,
};

#[test]
fn the_image_holds_the_module_and_nothing_else() {
    let module = fs::read(module_path()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("image");
    let image = Image::of_module(&module, &labels()).unwrap();
    image.write_layout(&layout).unwrap();

    let marker: Value = serde_json::from_slice(&fs::read(layout.join("oci-layout")).unwrap()).unwrap();
    assert_eq!(marker, json!({"imageLayoutVersion": "1.0.0"}));
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
    assert_eq!(index["manifests"][0]["digest"], format!("sha256:{}", image.digest()));
    assert_eq!(index["manifests"][0]["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    let manifest: Value = serde_json::from_slice(&blob(&layout, &index["manifests"][0])).unwrap();
    assert_eq!(manifest["mediaType"], index["manifests"][0]["mediaType"]);
    assert_eq!(manifest["schemaVersion"], 2);

    // What Istio and Envoy Gateway look for: a last layer of this type, with a plugin.wasm in it.
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 1);
    assert_eq!(layers[0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
    let compressed = blob(&layout, &layers[0]);
    let mut layer = Vec::new();
    flate2::read::GzDecoder::new(compressed.as_slice()).read_to_end(&mut layer).unwrap();
    let files = contents(&layer);
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].0, "plugin.wasm");
    assert!(files[0].1 == module, "the module is another one");

    // What a container runtime looks for besides.
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.oci.image.config.v1+json");
    let config: Value = serde_json::from_slice(&blob(&layout, &manifest["config"])).unwrap();
    assert_eq!(config["rootfs"], json!({"type": "layers", "diff_ids": [format!("sha256:{}", sha256(&layer))]}));
    assert_eq!((&config["os"], &config["architecture"]), (&json!("linux"), &json!("arm64")));
    assert_eq!(config["created"], "2027-01-15T08:00:00Z");

    // Nothing lies around, and the archive is the same layout.
    let mut blobs = fs::read_dir(layout.join("blobs/sha256")).unwrap();
    assert_eq!(blobs.by_ref().count(), 3);
    let archive = contents(&image.archive().unwrap());
    assert_eq!(archive.len(), 5);
    for (name, bytes) in archive {
        assert!(fs::read(layout.join(&name)).unwrap() == bytes, "{name}");
    }
}

#[test]
fn two_releases_of_one_commit_are_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let sbom = folder.path().join("sbom.json");
    fs::write(&sbom, "{}").unwrap();
    let release = |name: &str, platform: &str| {
        let target = folder.path().join(name);
        for _ in 0..2 {
            let mut command = Command::new(env!("CARGO_BIN_EXE_dist"));
            command.arg("--module").arg(module_path()).arg("--sbom").arg(&sbom).args(["--revision", "0123abc"]);
            let output =
                command.args(["--created", "1800000000", "--platform", platform]).arg(&target).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        fs::read_to_string(target.join("SHA256SUMS")).unwrap()
    };
    let (first, second, third) =
        (release("one", "linux/amd64"), release("two", "linux/amd64"), release("three", "linux/arm64"));
    assert_eq!(first, second);
    assert_ne!(first, third);
    let names: Vec<_> = first.lines().filter_map(|line| line.split("  ").nth(1)).collect();
    assert_eq!(names, ["gatepost.cdx.json", "gatepost-oci.tar", "gatepost.wasm"]);
    for line in first.lines() {
        let (sum, name) = line.split_once("  ").unwrap();
        assert_eq!(sha256(&fs::read(folder.path().join("one").join(name)).unwrap()), sum, "{name}");
    }
}

#[test]
fn the_module_does_not_tell_where_it_was_built() {
    let module = fs::read(module_path()).unwrap();
    let cargo = std::env::var("CARGO_HOME").unwrap_or_else(|_| format!("{}/.cargo", std::env::var("HOME").unwrap()));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_str().unwrap().to_owned();
    for place in [cargo, root] {
        let there = module.windows(place.len()).any(|window| window == place.as_bytes());
        assert!(!there, "{place} is in the module");
    }
}

fn labels() -> Labels {
    Labels {
        version: "0.1.0".to_owned(),
        revision: "0123abc".to_owned(),
        created: 1_800_000_000,
        platform: "linux/arm64".to_owned(),
    }
}

/// A blob, which is what its descriptor says.
fn blob(layout: &Path, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let bytes = fs::read(layout.join("blobs/sha256").join(digest)).unwrap();
    assert_eq!(sha256(&bytes), digest);
    assert_eq!(descriptor["size"], bytes.len());
    bytes
}

/// The files of an archive, all of which everybody may read, of nobody and of no time.
fn contents(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(archive);
    let files = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let header = entry.header();
        assert!(header.entry_type().is_file());
        let fields = (header.mode(), header.uid(), header.gid(), header.mtime());
        assert_eq!((fields.0.unwrap(), fields.1.unwrap(), fields.2.unwrap(), fields.3.unwrap()), (0o644, 0, 0, 0));
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (name, bytes)
    });
    files.collect()
}
