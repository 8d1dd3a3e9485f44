//! What Envoy's memory does under a great many distinct tokens.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use serde::Serialize;
use serde_json::Value;
use wasm_test_harness::mint::{MintError, PrivateKey, TokenSpec, mint_with};

use crate::{
    bootstrap::{Files, Filter, gatepost},
    cases::{Case, identity},
    machine::{Cores, on_core, resident},
    requests::{Requests, Tokens, claims},
    subject::Subject,
};

/// The memory of Envoy with gatepost, in KiB.
#[derive(Clone, Debug, Serialize)]
pub struct Memory {
    /// Before any token but one.
    pub before: u64,
    /// Once gatepost's cache is full.
    pub cache_full: u64,
    /// After all.
    pub after: u64,
    /// How many distinct tokens were sent.
    pub tokens: usize,
}

/// Sends so many distinct tokens, or as many as there is time for.
pub fn measure(files: &Files<'_>, cores: Cores, tokens: usize, time: Duration) -> io::Result<Memory> {
    let case = Case {
        name: "memory".to_owned(),
        label: String::new(),
        filter: Filter::Gatepost(gatepost(KEY, &identity()).map_err(io::Error::other)?),
        requests: Requests::Tokens(Tokens::one(KEY)),
        baseline: None,
        rival: None,
        told: Vec::new(),
        may_be_refused: false,
    };
    let subject = Subject::start(&case, files, cores)?.ok_or_else(|| io::Error::other("no Envoy"))?;
    let process = subject.envoy.process_id();
    let before = resident(process)?;
    let filled = tokens.min(FULL);
    let (sent, cache_full, after) = on_core(cores.load, || {
        let mut client = Client::connect(subject.address)?;
        let end = Instant::now() + time;
        let mut sent = client.send(0..filled, end)?;
        let cache_full = resident(process)?;
        sent += client.send(sent..tokens, end)?;
        io::Result::Ok((sent, cache_full, resident(process)?))
    })??;
    Ok(Memory { before, cache_full, after, tokens: sent })
}

/// Connections that each carry one request at a time: while some are written, Envoy works on the others.
struct Client {
    key: PrivateKey,
    connections: Vec<TcpStream>,
}

impl Client {
    fn connect(address: SocketAddr) -> io::Result<Self> {
        let connect = |_| {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(stream)
        };
        let connections = (0..CONNECTIONS).map(connect).collect::<io::Result<_>>()?;
        Ok(Self { key: PrivateKey::named(KEY).map_err(io::Error::other)?, connections })
    }

    /// Sends tokens of these users until `end`, and tells how many.
    fn send(&mut self, users: std::ops::Range<usize>, end: Instant) -> io::Result<usize> {
        let first = users.start;
        let mut left = users;
        let mut waiting = vec![false; self.connections.len()];
        loop {
            let out_of_time = Instant::now() >= end;
            for (connection, waiting) in self.connections.iter_mut().zip(&mut waiting) {
                if std::mem::take(waiting) {
                    receive(connection)?;
                }
                if out_of_time {
                    continue;
                }
                if let Some(user) = left.next() {
                    connection.write_all(request(&self.key, user).map_err(io::Error::other)?.as_bytes())?;
                    *waiting = true;
                }
            }
            if !waiting.contains(&true) {
                return Ok(left.start.min(left.end) - first);
            }
        }
    }
}

fn request(key: &PrivateKey, user: usize) -> Result<String, MintError> {
    let raw_payload = Some(Value::Object(claims(user)).to_string());
    let spec = TokenSpec { key: KEY.to_owned(), raw_payload, ..TokenSpec::default() };
    let token = mint_with(key, &spec, 0)?;
    Ok(format!("GET /orders/7 HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\r\n"))
}

/// Reads one response, which must be 200 and has no body.
fn receive(connection: &mut TcpStream) -> io::Result<()> {
    let mut received = Vec::new();
    while !received.ends_with(b"\r\n\r\n") {
        let mut part = [0; 1024];
        let size = connection.read(&mut part)?;
        received.extend(part.get(..size).unwrap_or_default());
        if size == 0 {
            break;
        }
    }
    if !received.starts_with(b"HTTP/1.1 200") {
        let text = String::from_utf8_lossy(&received).into_owned();
        return Err(io::Error::other(format!("a token is not served: {text}")));
    }
    Ok(())
}

const KEY: &str = "hs1";
/// More than gatepost's cache holds by default.
const FULL: usize = 20_000;
const CONNECTIONS: usize = 32;
const PATIENCE: Duration = Duration::from_secs(10);
