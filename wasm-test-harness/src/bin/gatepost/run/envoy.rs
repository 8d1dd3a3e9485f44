//! Envoy as a child process.

use std::env;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::NamedTempFile;
use wasm_test_harness::envoy::{self, Process};

use super::plan::Plan;
use crate::failure::Failure;

/// A running Envoy; dropping it ends it.
pub struct Envoy {
    process: Process,
    /// Removed with this.
    _config: Option<NamedTempFile>,
}

impl Envoy {
    /// Starts Envoy with the plan's configuration as it stands; `quiet` drops the access log.
    pub fn start(plan: &Plan, quiet: bool) -> Result<Self, Failure> {
        let binary = envoy::binary().map_err(|error| Failure::Usage(format!("{error}; `make run` does so itself")))?;
        let moved = moved_module(plan)?;
        let config = match &moved {
            Some(file) => file.path().to_owned(),
            None => std::path::absolute(&plan.config).unwrap_or_else(|_| plan.config.clone()),
        };
        let mut command = Command::new(&binary);
        command
            .current_dir(plan.folder())
            .arg("-c")
            .arg(config)
            // Without hot restart there is no shared memory to leave behind, and no clash with another Envoy.
            .args(["--disable-hot-restart", "--concurrency", "2", "--log-level", "warning"])
            .stdin(Stdio::null())
            .stdout(if quiet { Stdio::null() } else { Stdio::inherit() });
        let process = Process::start(command);
        let process = process.map_err(|error| Failure::Usage(format!("{}: {error}", binary.display())))?;
        Ok(Self { process, _config: moved })
    }

    /// Fails if Envoy has ended.
    pub fn check_alive(&self) -> Result<(), Failure> {
        match self.process.is_alive() {
            true => Ok(()),
            false => Err(Failure::Invalid("Envoy ended; what it said stands above".to_owned())),
        }
    }
}

/// A copy of the configuration that names the module where it really is, for builds with another target folder.
fn moved_module(plan: &Plan) -> Result<Option<NamedTempFile>, Failure> {
    if plan.folder().join(&plan.module).is_file() {
        return Ok(None);
    }
    let elsewhere = env::var("GATEPOST_MODULE").ok().filter(|file| Path::new(file).is_file());
    let Some(elsewhere) = elsewhere.and_then(|file| std::path::absolute(file).ok()) else {
        return Err(Failure::Usage(format!("{}: missing; `make build` makes it", plan.module)));
    };
    let text = plan.text.replace(&plan.module, &elsewhere.display().to_string());
    tempfile::Builder::new()
        .prefix("gatepost-")
        .suffix(".yaml")
        .tempfile()
        .and_then(|mut file| file.write_all(text.as_bytes()).map(|()| Some(file)))
        .map_err(|error| Failure::Invalid(format!("a temporary copy of {}: {error}", plan.config.display())))
}
