//! An OCI image of the module, as Istio, Envoy Gateway and Kubernetes fetch one.
//!
//! It is the *compat* variant of the Wasm image specification, an ordinary image of one layer with `/plugin.wasm` in it:
//! Istio and Envoy Gateway take it, container runtimes can mount it (`volumes: [{image: ...}]`), and every registry keeps
//! it. The *oci* variant, with media types of its own, is for the first two alone.
//!
//! The same module, labels and time make the same bytes, and so the same digest.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Write as _,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};

use crate::echo::sha256;

/// What is said of an image besides its contents.
#[derive(Clone, Debug)]
pub struct Labels {
    /// The release.
    pub version: String,
    /// The commit.
    pub revision: String,
    /// When the commit was made, in seconds of Unix time.
    pub created: u64,
    /// Whose machines may unpack it, `linux/amd64`. Proxies do not ask; a container runtime does, for a volume.
    pub platform: String,
}

/// An image: its blobs, by digest.
#[derive(Clone, Debug)]
pub struct Image {
    blobs: BTreeMap<String, Vec<u8>>,
    manifest: Value,
    version: String,
}

impl Image {
    /// The image of a module.
    ///
    /// # Errors
    ///
    /// What the libraries for archives and compression say; of memory, they have nothing to say.
    pub fn of_module(module: &[u8], labels: &Labels) -> io::Result<Self> {
        let mut blobs = BTreeMap::new();
        let layer = archive([("plugin.wasm", module)])?;
        let created = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(labels.created)).to_string();
        let about = json!({
            "org.opencontainers.image.created": created,
            "org.opencontainers.image.description": "Gateway authentication as a proxy-wasm filter",
            "org.opencontainers.image.licenses": "Apache-2.0",
            "org.opencontainers.image.revision": labels.revision,
            "org.opencontainers.image.title": "gatepost",
            "org.opencontainers.image.version": labels.version,
        });
        let (os, architecture) = labels.platform.split_once('/').unwrap_or(("linux", &labels.platform));
        let config = json!({
            "architecture": architecture,
            "config": {"Labels": about},
            "created": created,
            "history": [{"created": created, "created_by": "make dist"}],
            "os": os,
            "rootfs": {"diff_ids": [format!("sha256:{}", sha256(&layer))], "type": "layers"},
        });
        let config = store(&mut blobs, CONFIG, config.to_string().into_bytes());
        let layer = store(&mut blobs, LAYER, compressed(&layer)?);
        let manifest = json!({
            "annotations": about,
            "config": config,
            "layers": [layer],
            "mediaType": MANIFEST,
            "schemaVersion": 2,
        });
        let manifest = store(&mut blobs, MANIFEST, manifest.to_string().into_bytes());
        Ok(Self { blobs, manifest, version: labels.version.clone() })
    }

    /// The digest of its manifest, in hex: what a reference and `sha256` of a `WasmPlugin` name.
    pub fn digest(&self) -> &str {
        self.manifest["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:")).unwrap_or_default()
    }

    /// Writes it as an OCI image layout into a folder, which is not there yet.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be made or written.
    pub fn write_layout(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder.join("blobs/sha256"))?;
        self.files().into_iter().try_for_each(|(name, bytes)| fs::write(folder.join(name), bytes))
    }

    /// The layout as one tar archive (`oci-archive`).
    ///
    /// # Errors
    ///
    /// As of [`of_module`](Self::of_module).
    pub fn archive(&self) -> io::Result<Vec<u8>> {
        let files = self.files();
        archive(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())))
    }

    /// The files of the layout, by name.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut entry = self.manifest.clone();
        entry["annotations"] = json!({"org.opencontainers.image.ref.name": self.version});
        let index = json!({"manifests": [entry], "mediaType": INDEX, "schemaVersion": 2});
        let blobs = self.blobs.iter().map(|(digest, bytes)| (format!("blobs/sha256/{digest}"), bytes.clone()));
        let named = [
            ("oci-layout".to_owned(), json!({"imageLayoutVersion": "1.0.0"}).to_string().into_bytes()),
            ("index.json".to_owned(), index.to_string().into_bytes()),
        ];
        blobs.chain(named).collect()
    }
}

/// Keeps a blob, and gives its descriptor.
fn store(blobs: &mut BTreeMap<String, Vec<u8>>, media_type: &str, bytes: Vec<u8>) -> Value {
    let digest = sha256(&bytes);
    let descriptor = json!({"digest": format!("sha256:{digest}"), "mediaType": media_type, "size": bytes.len()});
    blobs.insert(digest, bytes);
    descriptor
}

/// A tar archive of plain files that everybody may read, of nobody and of no time.
fn archive<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        archive.append_data(&mut header, name, bytes)?;
    }
    archive.into_inner()
}

/// gzip, without a name, a time or the system that it was made on.
fn compressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    const UNKNOWN_SYSTEM: u8 = 255;
    let mut writer = GzBuilder::new().mtime(0).operating_system(UNKNOWN_SYSTEM).write(Vec::new(), Compression::best());
    writer.write_all(bytes)?;
    writer.finish()
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
