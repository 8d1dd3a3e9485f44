//! Signed requests in a real Envoy: what is held, for how long, and that no byte of it reaches the service before.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use wasm_test_harness::{
    client::{self, Response, http2},
    envoy::{Envoy, Gateway, Listener},
    module_path,
};

#[test]
fn no_byte_reaches_the_service_before_the_verdict() {
    let running = Running::start(1, &json!({}), |_| {});
    for secret in [SECRET, "guess"] {
        for shape in [Shape::Chunked, Shape::Length, Shape::Expect, Shape::Trailers] {
            running.check_held(secret, &format!("{shape:?}"), || running.send_slowly(shape, secret));
        }
        for trailers in [false, true] {
            running
                .check_held(secret, &format!("HTTP/2, trailers: {trailers}"), || running.send_http2(secret, trailers));
        }
    }
    running.finish();
}

#[test]
fn what_is_longer_than_max_body_is_a_413_and_what_is_longer_than_the_host_s_buffer_is_the_host_s() {
    let body = vec![b'a'; MEBIBYTE + 1];
    // At its default limit of 1 MiB Envoy answers first, in its own form. A mebibyte goes through.
    let running = Running::start(1, &json!({"max_body": 4 * MEBIBYTE}), |_| {});
    let response = running.post(&body, SECRET, true);
    assert_eq!((response.status, response.body.as_slice()), (413, b"Payload Too Large".as_slice()));
    assert!(running.service.bytes() == 0);
    assert_eq!(running.post(&body[..MEBIBYTE], SECRET, true).status, 200);
    running.finish();
    // With a larger one gatepost does, chunked or not.
    let running = Running::start(1, &json!({}), enlarge_buffer);
    for chunked in [false, true] {
        let response = running.post(&body, SECRET, chunked);
        let answer: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!((response.status, &answer["error"]), (413, &json!("body_too_large")));
        assert_eq!(running.service.bytes(), 0);
        assert_eq!(running.post(&body[..MEBIBYTE], SECRET, chunked).status, 200);
        assert_ne!(running.service.take(), 0);
    }
    running.finish();
}

#[test]
fn a_body_that_never_ends_is_a_408() {
    let running = Running::start(1, &json!({"body_timeout": "2s"}), |_| {});
    for shape in [Shape::Chunked, Shape::Length] {
        let begun = Instant::now();
        let mut stream = running.connect();
        stream.write_all(&shape.head(&sign(&body(), SECRET))).unwrap();
        stream.write_all(b"1\r\na\r\n").unwrap();
        let response = read_response(&mut stream);
        assert!(response.starts_with("HTTP/1.1 408"), "{response}");
        assert!(response.contains("body_timeout"), "{response}");
        let elapsed = begun.elapsed();
        assert!(elapsed >= Duration::from_millis(1900) && elapsed < Duration::from_secs(5), "{elapsed:?}");
    }
    assert_eq!(running.service.bytes(), 0);
    running.finish();
}

#[test]
fn without_the_setting_a_request_is_refused_in_time_and_the_log_names_it() {
    let running = Running::start_with(1, &json!({}), false, |_| {});
    let begun = Instant::now();
    let response = running.post(&body(), SECRET, false);
    assert_eq!(response.status, 503);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(running.service.bytes(), 0);
    let log = running.envoy.log();
    assert!(log.contains("allow_on_headers_stop_iteration"), "{log}");
    running.finish();
}

#[test]
fn a_slow_client_does_not_make_the_log_name_the_setting() {
    let running = Running::start(1, &json!({"body_timeout": "6s"}), |_| {});
    assert_eq!(running.post(&body(), SECRET, true).status, 200);
    running.service.take();
    let mut stream = running.connect();
    stream.write_all(&Shape::Chunked.head(&sign(&body(), SECRET))).unwrap();
    let response = read_response(&mut stream);
    assert!(response.starts_with("HTTP/1.1 408"), "{response}");
    assert!(!running.envoy.log().contains("allow_on_headers_stop_iteration"));
    running.finish();
}

#[test]
fn a_request_is_accepted_once_by_all_workers_together() {
    let running = Running::start(4, &json!({}), |_| {});
    for nonce in 0..8 {
        let authorization = sign_request(&format!("a-nonce-of-16-and-more-{nonce}"));
        let request = format!(
            "POST /signed HTTP/1.1\r\nhost: gateway.example.com\r\nauthorization: {authorization}\r\ncontent-length: 1\r\n\r\na"
        );
        // Each over a connection of its own: the kernel spreads them over the workers.
        let statuses: Vec<u16> = thread::scope(|scope| {
            let send = || client::send(running.address, request.as_bytes(), false).unwrap().status;
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(send)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 15, "{statuses:?}");
    }
    let busy = (0..4).filter(|worker| {
        let stat = format!("listener.127.0.0.1_0.worker_{worker}.downstream_cx_total");
        running.envoy.stat(&stat).unwrap_or(0) > 0
    });
    assert!(busy.count() > 1, "one worker had all connections, so nothing was shown");
    running.finish();
}

/// How a body comes over HTTP/1.1.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Chunked,
    Length,
    Expect,
    Trailers,
}

impl Shape {
    fn head(self, signature: &str) -> Vec<u8> {
        let framing = match self {
            Self::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
            Self::Length => format!("content-length: {}\r\n", body().len()),
            Self::Expect => format!("content-length: {}\r\nexpect: 100-continue\r\n", body().len()),
            Self::Trailers => "transfer-encoding: chunked\r\ntrailer: x-checksum\r\n".to_owned(),
        };
        format!(
            "POST /github HTTP/1.1\r\nhost: gateway.example.com\r\nx-hub-signature-256: sha256={signature}\r\n{framing}\r\n"
        )
        .into_bytes()
    }

    fn piece(self, piece: &[u8]) -> Vec<u8> {
        match self {
            Self::Length | Self::Expect => piece.to_vec(),
            Self::Chunked | Self::Trailers => [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat(),
        }
    }

    fn end(self) -> &'static [u8] {
        match self {
            Self::Length | Self::Expect => b"",
            Self::Chunked => b"0\r\n\r\n",
            Self::Trailers => b"0\r\nx-checksum: 1\r\n\r\n",
        }
    }
}

/// A service that notes what reaches it, and when.
struct Service {
    address: SocketAddr,
    received: Arc<Mutex<Vec<(Instant, usize)>>>,
}

impl Service {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let received: Arc<Mutex<Vec<(Instant, usize)>>> = Arc::default();
        let noted = Arc::clone(&received);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let noted = Arc::clone(&noted);
                thread::spawn(move || Self::serve(stream, &noted));
            }
        });
        Self { address, received }
    }

    fn serve(mut stream: TcpStream, noted: &Mutex<Vec<(Instant, usize)>>) {
        let mut request = Vec::new();
        let mut part = [0; 64 * 1024];
        while let Ok(size @ 1..) = stream.read(&mut part) {
            noted.lock().unwrap().push((Instant::now(), size));
            request.extend(&part[..size]);
            if is_whole(&request) {
                request.clear();
                if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
                    return;
                }
            }
        }
    }

    fn bytes(&self) -> usize {
        self.received.lock().unwrap().iter().map(|(_, size)| size).sum()
    }

    fn first(&self) -> Option<Instant> {
        self.received.lock().unwrap().first().map(|(at, _)| *at)
    }

    /// How many bytes came; from now on others are counted.
    fn take(&self) -> usize {
        let bytes = self.bytes();
        self.received.lock().unwrap().clear();
        bytes
    }
}

fn is_whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let body = &request[end + 4..];
    match head.lines().find_map(|line| line.strip_prefix("content-length: ")) {
        Some(length) => body.len() >= length.trim().parse::<usize>().unwrap(),
        None if head.contains("transfer-encoding: chunked") => {
            let last =
                if body.starts_with(b"0\r\n") { Some(0) } else { body.windows(5).position(|w| w == b"\r\n0\r\n") };
            last.is_some() && body.ends_with(b"\r\n\r\n")
        }
        None => true,
    }
}

/// Envoy with the module before such a service.
struct Running {
    service: Service,
    envoy: Envoy,
    address: SocketAddr,
}

impl Running {
    fn start(workers: u32, patch: &Value, change: impl FnOnce(&mut Value)) -> Self {
        Self::start_with(workers, patch, true, change)
    }

    fn start_with(workers: u32, patch: &Value, stop_iteration: bool, change: impl FnOnce(&mut Value)) -> Self {
        let service = Service::start();
        let mut github = json!({"type": "hmac", "scheme": "github", "secrets": [SECRET]});
        github.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        let configuration = json!({
            "authenticators": {
                "github": github,
                "partners": {"type": "hmac", "scheme": "generic", "keys": [{"id": "k1", "secret": SECRET}]},
            },
            "paths": [
                {"method": "POST", "path": "/github", "auth": "github"},
                {"method": "POST", "path": "/signed", "auth": "partners"},
            ],
        });
        let (module, environment) = (module_path(), BTreeMap::new());
        let gateway = Gateway {
            module: &module,
            environment: &environment,
            service: service.address,
            clusters: BTreeMap::new(),
            direct_responses: BTreeMap::new(),
            http2_upstream: false,
        };
        let listener = Listener {
            name: "webhooks".to_owned(),
            configuration: configuration.to_string(),
            normalize_path: false,
            stop_iteration,
        };
        let mut bootstrap = gateway.bootstrap(&[listener]);
        change(&mut bootstrap["static_resources"]["listeners"][0]);
        let envoy = Envoy::start(&bootstrap, workers).unwrap_or_else(|error| panic!("{error}"));
        let address = envoy.listener("webhooks").unwrap();
        Self { service, envoy, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        stream
    }

    fn post(&self, body: &[u8], secret: &str, chunked: bool) -> Response {
        let framing =
            if chunked { "transfer-encoding: chunked".to_owned() } else { format!("content-length: {}", body.len()) };
        let signature = sign(body, secret);
        let mut request = format!(
            "POST /github HTTP/1.1\r\nhost: gateway.example.com\r\nx-hub-signature-256: sha256={signature}\r\n{framing}\r\n\r\n"
        )
        .into_bytes();
        match chunked {
            true => {
                for piece in body.chunks(16 * 1024) {
                    request.extend(Shape::Chunked.piece(piece));
                }
                request.extend(Shape::Chunked.end());
            }
            false => request.extend(body),
        }
        client::send(self.address, &request, false).unwrap()
    }

    /// Sends the body piece by piece. Gives the status, and when the last piece was sent.
    fn send_slowly(&self, shape: Shape, secret: &str) -> (u16, Instant) {
        let mut stream = self.connect();
        stream.write_all(&shape.head(&sign(&body(), secret))).unwrap();
        let mut last = Instant::now();
        for piece in body().chunks(10) {
            thread::sleep(PAUSE);
            assert_eq!(self.service.bytes(), 0, "{shape:?}: the service has heard of it");
            last = Instant::now();
            stream.write_all(&shape.piece(piece)).unwrap();
        }
        if !shape.end().is_empty() {
            thread::sleep(PAUSE);
            assert_eq!(self.service.bytes(), 0, "{shape:?}: the service has heard of it");
            last = Instant::now();
            stream.write_all(shape.end()).unwrap();
        }
        let response = read_response(&mut stream);
        let status = response.rsplit("HTTP/1.1 ").next().and_then(|text| text.get(..3)?.parse().ok());
        (status.unwrap_or_else(|| panic!("{response}")), last)
    }

    fn send_http2(&self, secret: &str, trailers: bool) -> (u16, Instant) {
        let request = http2::Request {
            method: "POST".to_owned(),
            authority: "gateway.example.com".to_owned(),
            path: "/github".to_owned(),
            headers: vec![("x-hub-signature-256".to_owned(), format!("sha256={}", sign(&body(), secret)).into_bytes())],
            chunks: body().chunks(10).map(<[u8]>::to_vec).collect(),
            trailers: if trailers { vec![("x-checksum".to_owned(), b"1".to_vec())] } else { Vec::new() },
            pause: PAUSE,
            ..http2::Request::default()
        };
        let frames = u32::try_from(request.chunks.len() + request.trailers.len()).unwrap();
        let begun = Instant::now();
        let response = http2::send(self.address, &request).unwrap();
        (response.status, begun + PAUSE * frames)
    }

    /// Nothing reached the service before the request was whole; after it, all or nothing.
    fn check_held(&self, secret: &str, what: &str, send: impl FnOnce() -> (u16, Instant)) {
        let (status, last) = send();
        if secret == SECRET {
            assert_eq!(status, 200, "{what}");
            assert!(self.service.first().unwrap() >= last, "{what}: something came before the request was whole");
            assert!(self.service.take() > body().len(), "{what}");
        } else {
            thread::sleep(PAUSE);
            assert_eq!((status, self.service.take()), (401, 0), "{what}");
        }
    }

    /// What holds after every test.
    fn finish(self) {
        let (traps, log) = (self.envoy.traps(), self.envoy.log());
        assert!(traps.is_empty() && self.envoy.is_alive(), "{}", traps.join("\n"));
        assert!(!log.contains(SECRET), "the secret is in the log");
        let waiting = || self.envoy.stat("wasmcustom.gatepost.waiting").unwrap_or(0);
        let end = Instant::now() + Duration::from_secs(5);
        while waiting() > 0 {
            assert!(Instant::now() < end, "{} requests wait", waiting());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn enlarge_buffer(listener: &mut Value) {
    listener["per_connection_buffer_limit_bytes"] = json!(4 * MEBIBYTE);
}

fn body() -> Vec<u8> {
    b"{\"action\": \"opened\", \"number\": 7}".to_vec()
}

/// GitHub's signature.
fn sign(body: &[u8], secret: &str) -> String {
    tag(body, secret).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The `Authorization` of `POST /signed` with the body `a`.
fn sign_request(nonce: &str) -> String {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let digest = format!("{:x}", Sha256::digest("a"));
    let text = format!("POST\ngateway.example.com\n/signed\n\n{time}\n{nonce}\n{digest}");
    let signature = URL_SAFE_NO_PAD.encode(tag(text.as_bytes(), SECRET));
    format!("HMAC-SHA256 key=k1,ts={time},nonce={nonce},sig={signature}")
}

fn tag(text: &[u8], secret: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// Everything that comes until an answer's body is there, or the connection ends.
fn read_response(stream: &mut TcpStream) -> String {
    let mut received = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&received).into_owned();
        let last = text.rsplit("HTTP/1.1 ").next().unwrap_or_default();
        if let Some((head, body)) = last.split_once("\r\n\r\n")
            && !head.starts_with("100")
        {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            if body.len() >= length.trim().parse::<usize>().unwrap() {
                return text;
            }
        }
        match stream.read(&mut part) {
            Ok(size @ 1..) => received.extend(&part[..size]),
            _ => return text,
        }
    }
}

const SECRET: &str = "a secret that nobody else has";
const MEBIBYTE: usize = 1024 * 1024;
/// Between two pieces.
const PAUSE: Duration = Duration::from_millis(100);
