//! `wrk`: many requests, one after the other, over few connections.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use serde::Deserialize;

/// The load generator.
pub struct Wrk {
    binary: PathBuf,
    script: PathBuf,
}

/// What came of a run.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Outcome {
    /// Requests that were answered.
    pub requests: u64,
    /// Answers other than 2xx and 3xx.
    pub refused: u64,
    /// Connections that failed, and requests that were not answered in time.
    pub broken: u64,
}

impl Wrk {
    /// `WRK`, else `wrk` on `PATH`.
    pub fn find(folder: &Path) -> io::Result<Self> {
        let binary =
            std::env::var_os("WRK").filter(|path| !path.is_empty()).map_or_else(|| "wrk".into(), PathBuf::from);
        // It knows no flag that ends well: that it runs is all that is asked.
        Command::new(&binary).arg("-v").stdin(Stdio::null()).output().map_err(|error| {
            io::Error::other(format!(
                "{}: {error}; `make bench` finds or fetches wrk (Debian: apt-get install wrk), or set WRK",
                binary.display()
            ))
        })?;
        let script = folder.join("load.lua");
        std::fs::write(&script, include_str!("load.lua"))?;
        Ok(Self { binary, script })
    }

    /// Sends the requests of a file again and again, after so many that were sent before. Fails where one is not answered
    /// with 200: what is not served is not measured.
    pub fn run(&self, address: SocketAddr, requests: &Path, sent: u64, time: Duration) -> io::Result<Outcome> {
        let seconds = format!("{}s", time.as_secs().max(1));
        let output = Command::new(&self.binary)
            .args(["--threads", "1", "--connections", CONNECTIONS, "--timeout", "5s", "--duration", &seconds])
            .arg("--script")
            .arg(&self.script)
            .arg(format!("http://{address}/"))
            .arg("--")
            .arg(requests)
            .arg(sent.to_string())
            .stdin(Stdio::null())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let told = text.lines().rev().find_map(|line| serde_json::from_str::<Outcome>(line).ok());
        let Some(outcome) = told.filter(|outcome| outcome.requests > 0) else {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(io::Error::other(format!("wrk: {text}{errors}")));
        };
        if outcome.refused > 0 || outcome.broken > 0 {
            return Err(io::Error::other(format!("not all requests were served: {outcome:?}")));
        }
        Ok(outcome)
    }
}

const CONNECTIONS: &str = "8";
