//! A real Envoy: found, configured, started, and never left behind.
//!
//! [`binary`] finds it, [`Gateway`] describes listeners with the module in them, [`Envoy`] runs one and
//! [`Process`] sees to it that it ends.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

mod bootstrap;
mod process;

pub use bootstrap::{Endpoint, Gateway, Listener, lds_resources};
pub use process::Process;

use crate::client;

/// A running Envoy. Dropping it, in a panic too, ends the process; so does the end of this one.
pub struct Envoy {
    admin: SocketAddr,
    folder: tempfile::TempDir,
    process: Process,
}

/// Why Envoy does not run.
#[derive(Debug, thiserror::Error)]
pub enum EnvoyError {
    /// No binary is found.
    #[error("no Envoy: set ENVOY, put `envoy` on PATH, or run `make setup`")]
    Missing,
    /// A file or the process could not be made.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's word on it.
        source: io::Error,
    },
    /// It ended, or was not ready in time; the end of its log tells why.
    #[error("Envoy {what}; the end of its log:\n{log}")]
    NotReady {
        /// What it did instead.
        what: &'static str,
        /// The last lines of the log.
        log: String,
    },
}

/// The binary: `ENVOY`, else `envoy` on `PATH`, else what `make setup` fetched into `.tools`.
pub fn binary() -> Result<PathBuf, EnvoyError> {
    if let Some(path) = std::env::var_os("ENVOY").filter(|path| !path.is_empty()) {
        return Ok(PathBuf::from(path));
    }
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools");
    let on_path =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    let mut candidates = on_path.into_iter().map(|folder| folder.join("envoy")).collect::<Vec<_>>();
    // `envoy-VERSION/envoy/_bin/envoy`: the latest is the last.
    let mut fetched: Vec<_> = std::fs::read_dir(tools)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|folder| folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("envoy-")))
        .map(|folder| folder.join("envoy/_bin/envoy"))
        .collect();
    fetched.sort();
    candidates.extend(fetched.into_iter().rev());
    candidates.into_iter().find(|path| path.is_file()).ok_or(EnvoyError::Missing)
}

impl Envoy {
    /// Starts Envoy with a bootstrap and waits until it is ready to serve.
    pub fn start(bootstrap: &Value, concurrency: u32) -> Result<Self, EnvoyError> {
        Self::start_with(bootstrap, &[], concurrency)
    }

    /// As [`start`](Self::start), with more files beside the bootstrap: `{folder}` in it and in them stands for where they are.
    pub fn start_with(bootstrap: &Value, files: &[(&str, String)], concurrency: u32) -> Result<Self, EnvoyError> {
        Self::start_logging(bootstrap, files, concurrency, "info")
    }

    /// As [`start_with`](Self::start_with), and logs what modules tell from this level on.
    pub fn start_logging(
        bootstrap: &Value,
        files: &[(&str, String)],
        concurrency: u32,
        level: &str,
    ) -> Result<Self, EnvoyError> {
        let binary = binary()?;
        let failed = |what: &str| {
            let what = what.to_owned();
            move |source| EnvoyError::Io { what, source }
        };
        let folder = tempfile::tempdir().map_err(failed("a folder for Envoy"))?;
        let place = folder.path().to_string_lossy().into_owned();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text.replace("{folder}", &place)).map_err(failed(name))?;
        }
        let config = folder.path().join("bootstrap.json");
        let text = bootstrap.to_string().replace("{folder}", &place);
        std::fs::write(&config, text).map_err(failed("the bootstrap"))?;
        let log = std::fs::File::create(folder.path().join("envoy.log")).map_err(failed("the log"))?;
        let mut command = Command::new(&binary);
        command.arg("-c").arg(&config).arg("--admin-address-path").arg(folder.path().join("admin"));
        command.args(["--disable-hot-restart", "--log-level", "warning"]);
        command.args(["--component-log-level", &format!("wasm:{level}"), "--file-flush-interval-msec", "50"]);
        command.args(["--concurrency", &concurrency.to_string(), "--drain-time-s", "1"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = Process::start(command).map_err(failed(&binary.to_string_lossy()))?;
        let mut envoy = Self { admin: SocketAddr::from(([127, 0, 0, 1], 0)), folder, process };
        envoy.wait_until_ready()?;
        Ok(envoy)
    }

    /// Everything that it has logged.
    pub fn log(&self) -> String {
        self.file("envoy.log")
    }

    /// What it has written to a file beside the bootstrap, such as an access log; nothing where there is none.
    pub fn file(&self, name: &str) -> String {
        let bytes = std::fs::read(self.folder.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The lines of the log that tell of a trap, or of a panic of the module's.
    pub fn traps(&self) -> Vec<String> {
        let log = self.log();
        log.lines().filter(|line| TRAPS.iter().any(|mark| line.contains(mark))).map(str::to_owned).collect()
    }

    /// A counter or gauge by its whole name; nothing where Envoy has none of this name.
    pub fn stat(&self, name: &str) -> Option<u64> {
        let response = self.admin(&format!("/stats?filter=^{}$", name.replace('.', "\\."))).ok()?;
        let text = String::from_utf8_lossy(&response.body).into_owned();
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.trim().parse().ok())
    }

    /// Puts new listeners into the place of those of `lds.json`, and waits until Envoy has taken or refused them and the
    /// last of the old ones is gone.
    pub fn replace_listeners(&self, lds: &str) -> io::Result<()> {
        let taken = || {
            let count = |outcome: &str| self.stat(&format!("listener_manager.lds.update_{outcome}")).unwrap_or(0);
            count("success") + count("rejected")
        };
        let (before, end) = (taken(), Instant::now() + PATIENCE);
        // Envoy watches for files that are moved into their place.
        let file = self.folder.path().join("lds.json");
        std::fs::write(file.with_extension("new"), lds)?;
        std::fs::rename(file.with_extension("new"), file)?;
        while taken() == before || self.stat("listener_manager.total_listeners_draining") != Some(0) {
            if Instant::now() > end || !self.is_alive() {
                return Err(io::Error::other("Envoy does not take its new listeners"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// The admin interface's answer to `GET path`.
    pub fn admin(&self, path: &str) -> io::Result<client::Response> {
        client::send(self.admin, format!("GET {path} HTTP/1.1\r\nhost: admin\r\n\r\n").as_bytes(), false)
    }

    /// The address that a listener of this name was given; nothing where there is no such listener.
    pub fn listener(&self, name: &str) -> Option<SocketAddr> {
        self.listeners().into_iter().find(|(listener, _)| listener == name).map(|(_, address)| address)
    }

    /// The listeners that serve, with their addresses.
    pub fn listeners(&self) -> Vec<(String, SocketAddr)> {
        let Ok(response) = self.admin("/listeners?format=json") else { return Vec::new() };
        let listeners: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let entries = listeners["listener_statuses"].as_array().cloned().unwrap_or_default();
        let address = |entry: &Value| {
            let socket = &entry["local_address"]["socket_address"];
            format!("{}:{}", socket["address"].as_str()?, socket["port_value"].as_u64()?).parse().ok()
        };
        entries.iter().filter_map(|entry| Some((entry["name"].as_str()?.to_owned(), address(entry)?))).collect()
    }

    /// The system's number of the process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Whether the process still runs.
    pub fn is_alive(&self) -> bool {
        self.process.is_alive()
    }

    fn wait_until_ready(&mut self) -> Result<(), EnvoyError> {
        let end = Instant::now() + PATIENCE;
        loop {
            if !self.is_alive() {
                return Err(EnvoyError::NotReady { what: "ended", log: tail(&self.log()) });
            }
            if let Ok(address) = std::fs::read_to_string(self.folder.path().join("admin"))
                && let Ok(address) = address.trim().parse()
            {
                self.admin = address;
                if self.admin("/ready").is_ok_and(|response| response.status == 200) {
                    return Ok(());
                }
            }
            if Instant::now() > end {
                return Err(EnvoyError::NotReady { what: "was not ready in time", log: tail(&self.log()) });
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = writeln!(io::stderr(), "the end of Envoy's log:\n{}", tail(&self.log()));
        }
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// Compiling the module for V8 takes a moment on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How Envoy's log tells of a trap, and the module's panic hook of a panic.
const TRAPS: [&str; 3] = ["Function: ", "Uncaught RuntimeError", "panicked at"];
