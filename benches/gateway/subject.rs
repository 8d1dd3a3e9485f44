//! An Envoy whose filter does what its case says: checked before anything is measured.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use wasm_test_harness::{
    client::{self, Response},
    envoy::{Envoy, EnvoyError},
};

use crate::{
    bootstrap::{CHECK, Files, Filter, LISTENER, bootstrap},
    cases::Case,
    machine::{Cores, on_core},
};

/// A running Envoy, and what it is sent.
pub struct Subject {
    /// The process.
    pub envoy: Envoy,
    /// Where it listens.
    pub address: SocketAddr,
    /// The file with its requests.
    pub requests: PathBuf,
    /// How many of them were sent. A turn goes on where the last one ended: the first tokens would else be known.
    pub sent: u64,
}

impl Subject {
    /// Starts Envoy on its core and checks the filter. Nothing where the module refuses a configuration that it may refuse.
    pub fn start(case: &Case, files: &Files<'_>, cores: Cores) -> io::Result<Option<Self>> {
        let requests = case.requests.file(files.folder)?;
        let bootstrap = bootstrap(&case.filter, files, 0)?;
        let envoy = match on_core(cores.envoy, || Envoy::start(&bootstrap, 1))? {
            Ok(envoy) => envoy,
            Err(EnvoyError::NotReady { log, .. }) if case.may_be_refused && log.contains(REFUSED) => return Ok(None),
            Err(error) => return Err(io::Error::other(format!("{}: {error}", case.name))),
        };
        let address = envoy.listener(LISTENER).ok_or_else(|| io::Error::other("Envoy does not listen"))?;
        let subject = Self { envoy, address, requests, sent: 0 };
        subject.check(case).map_err(|error| io::Error::other(format!("{}: {error}", case.name)))?;
        Ok(Some(subject))
    }

    /// The first request must have its headers, and those with a bad credential or none must be refused.
    fn check(&self, case: &Case) -> io::Result<()> {
        let first = first(&self.requests)?;
        // The second time it may come out of a cache.
        for _ in 0..2 {
            let response = self.ask(&first.path, Some((&first.name, &first.value)))?;
            if response.status != 200 {
                return Err(io::Error::other(format!("a good credential is answered with {}", response.status)));
            }
            for (name, value) in &case.told {
                if response.header(name) != Some(value.as_bytes()) {
                    let got = String::from_utf8_lossy(response.header(name).unwrap_or_default()).into_owned();
                    return Err(io::Error::other(format!("{name} is `{got}` and not `{value}`")));
                }
            }
        }
        if matches!(case.filter, Filter::None | Filter::Crossings { .. }) {
            return Ok(());
        }
        // A letter in the middle of the signature, or of the key; the last one of a signature may not count.
        let mut forged = first.value.clone().into_bytes();
        let middle = forged.len() - 20;
        if let Some(letter) = forged.get_mut(middle) {
            *letter = if *letter == b'A' { b'B' } else { b'A' };
        }
        let forged = String::from_utf8_lossy(&forged).into_owned();
        for credential in [Some((first.name.as_str(), forged.as_str())), None] {
            let status = self.ask(&first.path, credential)?.status;
            if status != 401 {
                return Err(io::Error::other(format!("a bad credential, or none, is answered with {status}")));
            }
        }
        Ok(())
    }

    fn ask(&self, path: &str, credential: Option<(&str, &str)>) -> io::Result<Response> {
        let credential = credential.map_or_else(String::new, |(name, value)| format!("{name}: {value}\r\n"));
        let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n{CHECK}: 1\r\n{credential}\r\n");
        client::send(self.address, request.as_bytes(), false)
    }
}

/// One line of a file with requests.
pub struct Request {
    /// The path.
    pub path: String,
    /// The header with the credential.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// The first request of a file.
pub fn first(file: &Path) -> io::Result<Request> {
    let text = fs::read_to_string(file)?;
    let mut fields = text.lines().next().unwrap_or_default().splitn(3, ' ').map(str::to_owned);
    match (fields.next(), fields.next(), fields.next()) {
        (Some(path), Some(name), Some(value)) => Ok(Request { path, name, value }),
        _ => Err(io::Error::other(format!("{} holds no requests; delete it", file.display()))),
    }
}

/// How a module that does not know the member logs that it refuses it.
const REFUSED: &str = "crypto";
