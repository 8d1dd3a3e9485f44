//! `make bench-crypto`: how long one signature verification takes inside Envoy's V8.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use serde::Serialize;
use wasm_test_harness::{client, envoy::Envoy};

use crate::{
    bootstrap::{LISTENER, bootstrap_with_module},
    machine::{Cores, Machine, on_core},
    measure::median,
    report::Text,
};

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Verifications {
    /// When, in UTC (RFC 3339).
    pub date: String,
    /// Where.
    pub machine: Machine,
    /// `envoy --version`.
    pub envoy: String,
    /// Each algorithm with each library.
    pub figures: Vec<Verification>,
}

/// One algorithm with one library: microseconds of one verification.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// `RS256`
    pub algorithm: &'static str,
    /// `gatepost` or `plain`.
    pub library: &'static str,
    /// How many were timed at once.
    pub at_once: u32,
    /// Each round's figure.
    pub rounds: Vec<f64>,
    /// The least of them: what the others add is the machine's.
    pub least: f64,
    /// Their median.
    pub median: f64,
}

/// Runs the module in Envoy and asks it for so many rounds.
pub fn measure(module: &Path, cores: Cores, rounds: usize) -> io::Result<Vec<Verification>> {
    let envoy = on_core(cores.envoy, || Envoy::start(&bootstrap_with_module(module), 1))?.map_err(io::Error::other)?;
    let address = envoy.listener(LISTENER).ok_or_else(|| io::Error::other("Envoy does not listen"))?;
    on_core(cores.load, || {
        let mut figures = Vec::new();
        for algorithm in ALGORITHMS {
            for library in LIBRARIES {
                let at_once = warm_up(address, algorithm, library)?;
                let (rounds, least, median) = (Vec::new(), f64::INFINITY, 0.0);
                figures.push(Verification { algorithm, library, at_once, rounds, least, median });
            }
        }
        eprintln!("{rounds} rounds");
        for _ in 0..rounds {
            for figure in &mut figures {
                figure.rounds.push(ask(address, figure.algorithm, figure.library, figure.at_once)?);
            }
        }
        for figure in &mut figures {
            figure.least = figure.rounds.iter().copied().fold(f64::INFINITY, f64::min);
            figure.median = median(&figure.rounds).unwrap_or(0.0);
        }
        Ok(figures)
    })?
}

/// V8 compiles anew what runs often, in the background. Tells how many verifications take as long as a round shall.
fn warm_up(address: SocketAddr, algorithm: &str, library: &str) -> io::Result<u32> {
    let end = Instant::now() + WARM_UP;
    let mut at_once = 1;
    loop {
        let each = ask(address, algorithm, library, at_once)?.max(0.01);
        at_once = (ROUND.as_micros() as f64 / each).clamp(1.0, 1e6) as u32;
        if Instant::now() > end {
            return Ok(at_once);
        }
    }
}

/// Microseconds of one verification, of so many.
fn ask(address: SocketAddr, algorithm: &str, library: &str, at_once: u32) -> io::Result<f64> {
    let request = format!("GET /{algorithm}/{library}/{at_once} HTTP/1.1\r\nhost: bench\r\n\r\n");
    let response = client::send(address, request.as_bytes(), false)?;
    let text = String::from_utf8_lossy(&response.body).into_owned();
    let nanoseconds = text.parse::<f64>().ok().filter(|_| response.status == 200);
    let nanoseconds = nanoseconds
        .ok_or_else(|| io::Error::other(format!("{algorithm} {library}: {} and `{text}`", response.status)))?;
    Ok(nanoseconds / 1e3 / f64::from(at_once))
}

impl Verifications {
    /// For people.
    pub fn text(&self) -> Text {
        let find = |algorithm, library| {
            self.figures.iter().find(|figure| figure.algorithm == algorithm && figure.library == library)
        };
        let cell = |figure: Option<f64>| figure.map_or_else(String::new, |figure| format!("{figure:.1}"));
        let rows = ALGORITHMS.map(|algorithm| {
            let (own, plain) = (find(algorithm, "gatepost"), find(algorithm, "plain"));
            let times = own.zip(plain).map(|(own, plain)| plain.least / own.least);
            vec![
                algorithm.to_owned(),
                cell(own.map(|own| own.least)),
                cell(own.map(|own| own.median)),
                cell(plain.map(|plain| plain.least)),
                cell(plain.map(|plain| plain.median)),
                times.map_or_else(String::new, |times| format!("{times:.1} x")),
            ]
        });
        Text {
            title: "One verification in Envoy's V8 (us)".to_owned(),
            head: ["", "gatepost, least", "median", "plain crates, least", "median", "faster"]
                .map(str::to_owned)
                .to_vec(),
            rows: rows.to_vec(),
        }
    }
}

const ALGORITHMS: [&str; 13] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
];
const LIBRARIES: [&str; 2] = ["gatepost", "plain"];
const WARM_UP: Duration = Duration::from_millis(400);
const ROUND: Duration = Duration::from_millis(10);
