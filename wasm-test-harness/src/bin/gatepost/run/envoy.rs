//! Envoy as a child process.

use std::env;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::NamedTempFile;

use super::plan::Plan;
use crate::failure::Failure;

/// A running Envoy; dropping it ends it.
pub struct Envoy {
    child: Child,
    /// Removed with this.
    _config: Option<NamedTempFile>,
}

impl Envoy {
    /// Starts Envoy with the plan's configuration as it stands; `quiet` drops the access log.
    pub fn start(plan: &Plan, quiet: bool) -> Result<Self, Failure> {
        let binary = binary()?;
        let moved = moved_module(plan)?;
        let config = match &moved {
            Some(file) => file.path().to_owned(),
            None => std::path::absolute(&plan.config).unwrap_or_else(|_| plan.config.clone()),
        };
        let child = Command::new(&binary)
            .current_dir(plan.folder())
            .arg("-c")
            .arg(config)
            // Without hot restart there is no shared memory to leave behind, and no clash with another Envoy.
            .args(["--disable-hot-restart", "--concurrency", "2", "--log-level", "warning"])
            .stdin(Stdio::null())
            .stdout(if quiet { Stdio::null() } else { Stdio::inherit() })
            .spawn()
            .map_err(|error| Failure::Usage(format!("{}: {error}", Path::new(&binary).display())))?;
        Ok(Self { child, _config: moved })
    }

    /// Fails if Envoy has ended.
    pub fn check_alive(&mut self) -> Result<(), Failure> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(Failure::Invalid(format!("Envoy ended ({status}); what it said stands above"))),
            Err(error) => Err(Failure::Invalid(format!("Envoy's state is unknown: {error}"))),
        }
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let asked = Instant::now();
        while asked.elapsed() < STOP_TIMEOUT {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `ENVOY`, else `envoy` on `PATH`.
fn binary() -> Result<OsString, Failure> {
    if let Some(named) = env::var_os("ENVOY").filter(|named| !named.is_empty()) {
        return Ok(named);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|folder| folder.join("envoy")).find(|file| file.is_file());
    found.map(PathBuf::into_os_string).ok_or_else(|| {
        Failure::Usage("no Envoy: ENVOY is not set and `envoy` is not on PATH; `make run` fetches one".to_owned())
    })
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

/// Envoy drains for a moment when asked to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
