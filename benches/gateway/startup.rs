//! How long Envoy takes from its start to its first 200.

use std::{
    fs, io,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde::Serialize;
use wasm_test_harness::envoy::{Process, binary};

use crate::{
    bootstrap::{Files, Filter, bootstrap, gatepost, jwt_authn},
    cases::identity,
    machine::{Cores, on_core},
    measure::median,
    requests::{Requests, Tokens},
    subject::first,
};

/// The time of one filter.
#[derive(Clone, Debug, Serialize)]
pub struct Startup {
    /// The filter.
    pub label: &'static str,
    /// Milliseconds of each start.
    pub starts: Vec<f64>,
    /// Their median.
    pub median: Option<f64>,
}

/// Starts Envoy so many times for each of three filters, on one core, with a token that has to be verified.
pub fn measure(files: &Files<'_>, cores: Cores, starts: usize) -> io::Result<Vec<Startup>> {
    let request = first(&Requests::Tokens(Tokens::one("rs1")).file(files.folder)?)?;
    let request =
        format!("GET {} HTTP/1.1\r\nhost: bench\r\n{}: {}\r\n\r\n", request.path, request.name, request.value);
    let filters = [
        ("no filter", Filter::None),
        ("jwt_authn", Filter::JwtAuthn(jwt_authn("rs1", &identity()).map_err(io::Error::other)?)),
        ("gatepost", Filter::Gatepost(gatepost("rs1", &identity()).map_err(io::Error::other)?)),
    ];
    let mut all = filters.iter().map(|(label, _)| (*label, Vec::new())).collect::<Vec<_>>();
    for round in 0..starts {
        eprintln!("  start {} of {starts}", round + 1);
        for ((_, filter), (_, times)) in filters.iter().zip(&mut all) {
            let time = on_core(cores.load, || start(filter, files, cores, &request))??;
            times.push(time.as_secs_f64() * 1e3);
        }
    }
    let told = |(label, starts): (_, Vec<f64>)| Startup { label, median: median(&starts), starts };
    Ok(all.into_iter().map(told).collect())
}

fn start(filter: &Filter, files: &Files<'_>, cores: Cores, request: &str) -> io::Result<Duration> {
    // Free a moment ago: Envoy must be told a port that the first request can be sent to before Envoy can tell one.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let config = files.folder.join("startup.json");
    fs::write(&config, bootstrap(filter, files, port)?.to_string())?;
    let mut command = Command::new(binary().map_err(io::Error::other)?);
    command.arg("-c").arg(&config).args(["--disable-hot-restart", "--log-level", "off", "--concurrency", "1"]);
    command.args(["--drain-time-s", "1"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begin = Instant::now();
    let process = on_core(cores.envoy, || Process::start(command))??;
    while begin.elapsed() < PATIENCE && process.is_alive() {
        if served(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), request).unwrap_or(false) {
            return Ok(begin.elapsed());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Err(io::Error::other("Envoy does not serve"))
}

fn served(address: SocketAddr, request: &str) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    Ok(&head == b"HTTP/1.1 200")
}

const PATIENCE: Duration = Duration::from_secs(30);
