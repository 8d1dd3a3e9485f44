//! One limit for all workers of a real Envoy.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use wasm_test_harness::{
    client::{
        burst::{self, Request},
        steady::{self, Exchange},
    },
    echo::Echo,
    envoy::{Envoy, Gateway, Listener},
    mint::{TokenSpec, mint},
    module_path,
};

/// A limit of 100 a second lets 1,000 to 1,050 of 10,000 requests through in ten seconds, whatever worker they come to.
#[test]
fn four_workers_keep_one_limit() {
    const RATE: f64 = 100.0;
    const BURST: f64 = 20.0;
    let echo = Echo::spawn().unwrap();
    let envoy = start(&echo, &[("global", json!({"requests": 100, "per": "1s"}))]);
    let address = envoy.listener("global").unwrap();
    let request = Request { path: "/public".to_owned(), headers: Vec::new() };
    let exchanges = steady::send(address, &request, CONNECTIONS, 1000, Duration::from_secs(10)).unwrap();

    let busy = workers(&envoy);
    assert!(busy >= 3, "{busy} workers have had connections");
    let count = |status| exchanges.iter().filter(|exchange| exchange.status == Some(status)).count();
    let (passed, refused) = (count(200), count(429));
    assert_eq!(passed + refused, exchanges.len(), "others were neither: {:?}", exchanges.last());
    // On a machine that is too slow for the schedule, what may pass is what its clock allows.
    let (first, last) = (exchanges.first().unwrap(), exchanges.last().unwrap());
    let whole = exchanges.iter().map(|exchange| exchange.answered).max().unwrap() - first.sent;
    let most = BURST + RATE * whole.as_secs_f64() + 1.0;
    let least = RATE * ((last.sent - first.answered).as_secs_f64() - idle(&exchanges, BURST / RATE)) - 1.0;
    println!(
        "{passed} of {} requests passed in {:.3} s, on {busy} workers; between {least:.0} and {most:.0} may",
        exchanges.len(),
        whole.as_secs_f64()
    );
    assert!(passed as f64 <= most && passed as f64 >= least, "{passed} passed, not {least:.0} to {most:.0}");
    if whole < Duration::from_millis(10_200) {
        assert!(passed <= 1050, "{passed} passed");
    }
    assert!(envoy.traps().is_empty(), "{:?}", envoy.traps());
}

/// As fast as the machine can, so that workers race for the same slots.
#[test]
fn races_between_workers_let_nobody_through_and_keep_nobody_out() {
    let echo = Echo::spawn().unwrap();
    let limit = json!({"requests": 300, "per": "24h", "burst": 300, "by": "route"});
    let envoy = start(&echo, &[("races", limit)]);
    let address = envoy.listener("races").unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let requests = (0..2000).map(|number| {
        let claims =
            json!({"iss": "https://idp.example.com", "aud": "api", "sub": format!("user-{number}"), "exp": "@now+5m"});
        let token = mint(&TokenSpec { claims, ..TokenSpec::default() }, now).unwrap();
        Request { path: "/a".to_owned(), headers: vec![("authorization".to_owned(), format!("Bearer {token}"))] }
    });
    let outcomes = burst::send(address, requests.collect(), 64, Duration::from_secs(60)).unwrap();
    // A refill takes nearly five minutes.
    assert_eq!(outcomes.tally(), BTreeMap::from([("200".to_owned(), 300), ("429".to_owned(), 1700)]));
    assert!(envoy.traps().is_empty(), "{:?}", envoy.traps());
}

fn start(echo: &Echo, limits: &[(&str, serde_json::Value)]) -> Envoy {
    burst::raise_file_limit().unwrap();
    let (module, environment) = (module_path(), BTreeMap::new());
    let gateway = Gateway {
        module: &module,
        environment: &environment,
        service: echo.address(),
        clusters: BTreeMap::new(),
        direct_responses: BTreeMap::new(),
        http2_upstream: false,
    };
    let listeners = limits.iter().map(|(name, limit)| {
        let configuration = json!({
            "authorizer": {
                "type": "jwt",
                "issuer": "https://idp.example.com",
                "audiences": ["api"],
                "jwks": {"inline": wasm_test_harness::mint::jwks(&["es1"]).unwrap()},
            },
            "rate_limit": limit,
            "paths": [
                {"method": "GET", "path": "/a", "auth": true},
                {"method": "GET", "path": "/public", "auth": false},
            ],
        });
        Listener {
            name: (*name).to_owned(),
            configuration: configuration.to_string(),
            normalize_path: false,
            stop_iteration: false,
        }
    });
    let bootstrap = gateway.bootstrap(&listeners.collect::<Vec<_>>());
    Envoy::start(&bootstrap, WORKERS).unwrap_or_else(|error| panic!("{error}"))
}

/// How many workers have had connections. The only listener is called by the port that it was configured with.
fn workers(envoy: &Envoy) -> usize {
    let has_some = |worker: &u32| {
        let stat = format!("listener.127.0.0.1_0.worker_{worker}.downstream_cx_total");
        envoy.stat(&stat).is_some_and(|connections| connections > 0)
    };
    (0..WORKERS).filter(has_some).count()
}

/// For how many seconds the limit was not used, because no request came for longer than it takes to refill.
fn idle(exchanges: &[Exchange], refill: f64) -> f64 {
    let pauses = exchanges.windows(2).map(|pair| (pair[1].sent - pair[0].answered.min(pair[1].sent)).as_secs_f64());
    pauses.map(|pause| (pause - refill).max(0.0)).sum()
}

const WORKERS: u32 = 4;
const CONNECTIONS: u32 = 32;
