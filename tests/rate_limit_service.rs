//! Envoy's own rate limit filter counts by `x-gatepost-limit-key`, as docs/rate-limits.md says: with a stand-in for its
//! service, and with the service itself where there is one (`make e2e-rate-limit-service`).

use std::{
    collections::HashMap,
    convert::Infallible,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tonic::{
    Request, Response, Status,
    codegen::{BoxFuture, Context, Poll, Service, http},
    server::{NamedService, UnaryService},
    transport::Server,
};
use tonic_prost::ProstCodec;
use wasm_test_harness::{
    client,
    echo::{Echo, sha256},
    envoy::{Envoy, Process},
    module_path,
};

#[test]
fn envoys_rate_limit_filter_counts_by_the_limit_key() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let service = listener.local_addr().unwrap();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let stand_in = StandIn::default();
    runtime.spawn(Server::builder().add_service(stand_in.clone()).serve_with_incoming(incoming));
    limits_of_their_own(service);
    let counted = stand_in.0.lock().unwrap().clone();
    let expected = [("key:machines:ci", MOST + 2), ("ip:127.0.0.1", MOST + 2)];
    let expected =
        expected.map(|(caller, hits)| (("gatepost".to_owned(), "caller".to_owned(), caller.to_owned()), hits));
    assert_eq!(counted, HashMap::from(expected));
}

#[test]
#[ignore = "needs envoyproxy/ratelimit and Redis: make e2e-rate-limit-service"]
fn envoys_rate_limit_service_counts_by_the_limit_key() {
    let home = std::env::var_os("GATEPOST_RATELIMIT").map(PathBuf::from).expect("GATEPOST_RATELIMIT names its folder");
    let folder = tempfile::tempdir().unwrap();
    let service = RateLimitService::start(&home, folder.path());
    limits_of_their_own(service.address);
}

/// An anonymous caller and a key each have a limit; what a client says about itself is nothing.
fn limits_of_their_own(service: SocketAddr) {
    let echo = Echo::spawn().unwrap();
    let envoy = Envoy::start(&bootstrap(echo.address(), service), 2).unwrap_or_else(|error| panic!("{error}"));
    let address = envoy.listener("gateway").unwrap_or_else(|| panic!("{}", envoy.log()));
    let get = |headers: &str| {
        let request = format!("GET /orders HTTP/1.1\r\nhost: gateway.example.com\r\n{headers}\r\n");
        client::send(address, request.as_bytes(), false).unwrap().status
    };
    let key = format!("x-api-key: {KEY}\r\n");
    for number in 0..MOST {
        assert_eq!(get(""), 200, "the anonymous request {number}");
    }
    assert_eq!(get(""), 429);
    assert_eq!(get("x-gatepost-limit-key: ip:192.0.2.1\r\n"), 429);
    for number in 0..MOST {
        assert_eq!(get(&key), 200, "the request {number} with a key");
    }
    assert_eq!(get(&key), 429);
    assert_eq!(get(&format!("{key}x-gatepost-limit-key: key:machines:other\r\n")), 429);
    // A refused credential does not come so far.
    assert_eq!(get("x-api-key: gp_another\r\n"), 401);
    assert!(envoy.traps().is_empty(), "{:?}", envoy.traps());
}

/// The bootstrap of the page, with the addresses of this test.
fn bootstrap(echo: SocketAddr, service: SocketAddr) -> Value {
    let page = page();
    let (_, block) = page.split_once("```yaml\n").expect("the page has a bootstrap");
    let (text, _) = block.split_once("```\n").unwrap();
    let places = [
        ("/etc/envoy/gatepost.wasm", module_path().to_string_lossy().into_owned()),
        ("9b5d4a28808536584f317bcbe7ad32cea5d492cad4b1239f52348826d011036c", sha256(KEY.as_bytes())),
        ("port_value: 8080", "port_value: 0".to_owned()),
        ("port_value: 8081", format!("port_value: {}", echo.port())),
        ("port_value: 8082", format!("port_value: {}", service.port())),
        // A test's machine may be busy.
        ("timeout: 0.25s", "timeout: 20s".to_owned()),
    ];
    let text = replaced(text, &places);
    let mut bootstrap: Value = serde_saphyr::from_str(&text).unwrap();
    bootstrap["admin"] = json!({"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}});
    bootstrap
}

/// The service's configuration of the page, with less to count, and days, whose end is far.
fn limits() -> String {
    let page = page();
    let (_, block) = page.split_once("```text\ndomain: ").expect("the page has the service's configuration");
    let (text, _) = block.split_once("```\n").unwrap();
    let most = format!("unit: day, requests_per_unit: {MOST}}}");
    let places =
        [("unit: minute, requests_per_unit: 600}", most.clone()), ("unit: minute, requests_per_unit: 6000}", most)];
    format!("domain: {}", replaced(text, &places))
}

fn replaced(text: &str, places: &[(&str, String)]) -> String {
    places.iter().fold(text.to_owned(), |text, (there, here)| {
        assert_eq!(text.matches(there).count(), 1, "{there}");
        text.replace(there, here)
    })
}

fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rate-limits.md");
    std::fs::read_to_string(page).unwrap()
}

/// envoyproxy/ratelimit with a Redis of its own.
struct RateLimitService {
    address: SocketAddr,
    _redis: Process,
    _service: Process,
}

impl RateLimitService {
    fn start(home: &Path, folder: &Path) -> Self {
        let socket = folder.join("redis.sock");
        let mut redis = Command::new(home.join("redis-server"));
        redis.args(["--port", "0", "--save", "", "--unixsocket"]).arg(&socket).arg("--dir").arg(folder);
        let redis = Process::start(silent(redis, &folder.join("redis.log"))).unwrap();
        until("Redis listens", || socket.exists());

        let config = folder.join("gatepost/config");
        std::fs::create_dir_all(&config).unwrap();
        std::fs::write(config.join("gatepost.yaml"), limits()).unwrap();
        let [http, grpc, debug] = free_ports();
        let mut service = Command::new(home.join("ratelimit"));
        service.envs([("USE_STATSD", "false"), ("LOG_LEVEL", "warn"), ("REDIS_SOCKET_TYPE", "unix")]);
        service.env("REDIS_URL", &socket).env("RUNTIME_ROOT", folder).env("RUNTIME_SUBDIRECTORY", "gatepost");
        service.env("RUNTIME_WATCH_ROOT", "false");
        for (name, port) in [("", http), ("GRPC_", grpc), ("DEBUG_", debug)] {
            service.env(format!("{name}HOST"), "127.0.0.1").env(format!("{name}PORT"), port.to_string());
        }
        let log = folder.join("ratelimit.log");
        let service = Process::start(silent(service, &log)).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], grpc));
        until(&format!("the service listens; its log is {}", log.display()), || TcpStream::connect(address).is_ok());
        Self { address, _redis: redis, _service: service }
    }
}

fn silent(mut command: Command, log: &Path) -> Command {
    let log = std::fs::File::create(log).unwrap();
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    command
}

/// Ports that were free a moment ago.
fn free_ports() -> [u16; 3] {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < end, "it never came: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Counts each domain, key and value, and lets so many through.
#[derive(Clone, Default)]
struct StandIn(Arc<Mutex<HashMap<Counted, u32>>>);

/// A domain, key and value.
type Counted = (String, String, String);

/// The messages of envoy/service/ratelimit/v3/rls.proto, as far as they are needed.
#[derive(Clone, PartialEq, prost::Message)]
struct RateLimitRequest {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(message, repeated, tag = "2")]
    descriptors: Vec<Descriptor>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Descriptor {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RateLimitResponse {
    /// 1 is OK, 2 is OVER_LIMIT.
    #[prost(int32, tag = "1")]
    overall_code: i32,
}

impl NamedService for StandIn {
    const NAME: &'static str = "envoy.service.ratelimit.v3.RateLimitService";
}

impl Service<http::Request<tonic::body::Body>> for StandIn {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let should_rate_limit = self.clone();
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<RateLimitResponse, RateLimitRequest>::default());
            Ok(grpc.unary(should_rate_limit, request).await)
        })
    }
}

impl UnaryService<RateLimitRequest> for StandIn {
    type Response = RateLimitResponse;
    type Future = BoxFuture<Response<RateLimitResponse>, Status>;

    fn call(&mut self, request: Request<RateLimitRequest>) -> Self::Future {
        let RateLimitRequest { domain, descriptors } = request.into_inner();
        let mut counts = self.0.lock().unwrap();
        let mut is_over = false;
        for Entry { key, value } in descriptors.into_iter().flat_map(|descriptor| descriptor.entries) {
            let count = counts.entry((domain.clone(), key, value)).or_default();
            *count += 1;
            is_over |= *count > MOST;
        }
        let overall_code = if is_over { 2 } else { 1 };
        Box::pin(async move { Ok(Response::new(RateLimitResponse { overall_code })) })
    }
}

/// How many requests a caller has.
const MOST: u32 = 3;
const KEY: &str = "gp_key-of-ci";
