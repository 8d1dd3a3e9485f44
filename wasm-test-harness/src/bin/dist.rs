//! `make dist`: puts what is released into one folder, the same bytes wherever it is run.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;
use wasm_test_harness::{
    echo::sha256,
    image::{Image, Labels},
};

/// Writes the module, its bill of materials, an OCI image of it, and their checksums.
#[derive(Parser)]
struct Arguments {
    /// The module.
    #[arg(long, value_name = "FILE")]
    module: PathBuf,
    /// Its bill of materials, in CycloneDX.
    #[arg(long, value_name = "FILE")]
    sbom: PathBuf,
    /// The commit.
    #[arg(long)]
    revision: String,
    /// When the commit was made, in seconds of Unix time.
    #[arg(long, value_name = "SECONDS")]
    created: u64,
    /// On whose nodes a container runtime may mount the image. Proxies do not ask.
    #[arg(long, default_value = "linux/amd64")]
    platform: String,
    /// The folder, whose former contents are removed.
    folder: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match write(&arguments) {
        Ok(report) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("dist: {}: {error}", arguments.folder.display());
            ExitCode::FAILURE
        }
    }
}

/// Writes beside the folder and renames: one that is there is whole.
fn write(arguments: &Arguments) -> io::Result<String> {
    let folder = &arguments.folder;
    let unfinished = folder.with_extension("tmp");
    remove(&unfinished)?;
    fs::create_dir_all(&unfinished)?;

    let module = fs::read(&arguments.module)?;
    let labels = Labels {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        revision: arguments.revision.clone(),
        created: arguments.created,
        platform: arguments.platform.clone(),
    };
    let image = Image::of_module(&module, &labels)?;
    image.write_layout(&unfinished.join("gatepost-oci"))?;
    let files = [
        ("gatepost.cdx.json", fs::read(&arguments.sbom)?),
        ("gatepost-oci.tar", image.archive()?),
        ("gatepost.wasm", module),
    ];
    let mut sums = String::new();
    for (name, bytes) in &files {
        fs::write(unfinished.join(name), bytes)?;
        sums += &format!("{}  {name}\n", sha256(bytes));
    }
    fs::write(unfinished.join("SHA256SUMS"), &sums)?;
    remove(folder)?;
    fs::rename(&unfinished, folder)?;

    let (version, digest) = (&labels.version, image.digest());
    let layout = folder.join("gatepost-oci");
    Ok(format!(
        "{}\n{sums}\nThe image, sha256 of a WasmPlugin or an EnvoyExtensionPolicy:\n{digest}\n\nTo push it:\ncrane push {} \
         registry.example.com/gatepost:{version}\n",
        folder.display(),
        layout.display(),
    ))
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
