//! DPoP (RFC 9449) in a real Envoy with several workers: whichever of them meets a proof, it is used once.

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use gatepost::{
    config,
    engine::{Engine, Head, Reason, RequestId, UnixTime, Verdict},
    host::{Host, Store, Unavailable},
    jose::dpop::ProofError,
};
use serde_json::{Value, json};
use wasm_test_harness::{
    client::burst::{self, Request},
    echo::Echo,
    envoy::{Envoy, Gateway, Listener},
    mint::{PrivateKey, ProofSpec, TokenSpec, jwks, mint},
    module_path,
};

/// Enough for every worker to have its share, as each connection is of its own.
const REQUESTS: usize = 120;
const WORKERS: u32 = 4;
const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn of_many_uses_of_a_proof_on_all_workers_one_is_let_through() {
    burst::raise_file_limit().unwrap();
    let echo = Echo::spawn().unwrap();
    // Two listeners, as each plugin has its own context on each worker: they share one store all the same.
    let listeners = ["first", "second"].map(|name| Listener {
        name: name.to_owned(),
        configuration: configuration().to_string(),
        normalize_path: false,
        stop_iteration: false,
    });
    let (module, environment) = (module_path(), BTreeMap::new());
    let gateway = Gateway {
        module: &module,
        environment: &environment,
        service: echo.address(),
        clusters: BTreeMap::new(),
        direct_responses: BTreeMap::new(),
        http2_upstream: false,
    };
    let envoy = Envoy::start(&gateway.bootstrap(&listeners), WORKERS).unwrap_or_else(|error| panic!("{error}"));
    let addresses: BTreeMap<_, _> = envoy.listeners().into_iter().collect();

    let token = token(now());
    for listener in ["first", "second"] {
        // Each with a proof of its own: all are let through.
        let requests = (0..REQUESTS).map(|number| request(&token, &format!("{listener} {number}"), now()));
        let outcomes = burst::send(addresses[listener], requests.collect(), REQUESTS, PATIENCE).unwrap();
        assert_eq!(outcomes.tally(), BTreeMap::from([("200".to_owned(), REQUESTS)]));
    }
    for round in 0..5 {
        let one = request(&token, &format!("round {round}"), now());
        let outcomes = burst::send(addresses["first"], vec![one.clone(); REQUESTS], REQUESTS, PATIENCE).unwrap();
        // A worker that has lost the race for its set again and again gives up, and lets nothing through: 503.
        let tally = outcomes.tally();
        assert_eq!(tally.get("200"), Some(&1), "{tally:?}");
        assert!(tally.keys().all(|status| ["200", "401", "503"].contains(&status.as_str())), "{tally:?}");
        let again = burst::send(addresses["second"], vec![one], 1, PATIENCE).unwrap();
        assert_eq!(again.tally(), BTreeMap::from([("401".to_owned(), 1)]));
    }
    assert!(workers_used(&envoy) > 1, "one worker did it all");
}

/// A proxy's store on which another worker, with the same request, is faster; or all others are, for ever.
#[derive(Default)]
struct Raced {
    slots: BTreeMap<String, (Vec<u8>, u32)>,
    rival: Option<(Engine, Head)>,
    always: bool,
}

#[test]
fn of_two_workers_that_have_both_looked_one_lets_the_request_through() {
    let head = head("raced");
    let mut store = Raced { rival: Some((engine(), head.clone())), ..Raced::default() };
    let decision = engine().decide(RequestId(1), &head, NOW, &mut store);
    assert!(store.rival.is_none(), "nothing was entered");
    assert_eq!(decision.record.reason, Some(Reason::Proof(ProofError::Replayed)));
    assert!(matches!(decision.verdict, Verdict::Deny(answer) if answer.status == 401));
}

#[test]
fn what_cannot_be_entered_is_not_let_through() {
    let mut store = Raced { always: true, ..Raced::default() };
    let mut engine = engine();
    let decision = engine.decide(RequestId(1), &head("crowded"), NOW, &mut store);
    assert_eq!(decision.record.reason, Some(Reason::ReplayStoreFull));
    let Verdict::Deny(answer) = decision.verdict else { panic!("{decision:?}") };
    assert_eq!(answer.status, 503);
    assert!(answer.headers.contains(&("retry-after".to_owned(), "1".to_owned())), "{answer:?}");
    // Nor is it used up.
    store.always = false;
    let decision = engine.decide(RequestId(2), &head("crowded"), NOW, &mut store);
    assert!(matches!(decision.verdict, Verdict::Forward(_)), "{decision:?}");
}

#[test]
fn explaining_a_request_uses_nothing_up() {
    let (mut engine, mut store, head) = (engine(), Raced::default(), head("explained"));
    for _ in 0..2 {
        let (decision, _) = engine.explain(&head, b"", NOW, &mut store);
        assert!(matches!(decision.verdict, Verdict::Forward(_)), "{decision:?}");
    }
    assert!(store.slots.is_empty());
}

impl Host for Raced {
    fn property(&mut self, _: &[&str]) -> Option<Vec<u8>> {
        None
    }
}

impl Store for Raced {
    fn get(&mut self, slot: &str) -> Result<Option<(Vec<u8>, u32)>, Unavailable> {
        Ok(self.slots.get(slot).cloned())
    }

    fn set(&mut self, slot: &str, value: &[u8], expected: u32) -> Result<bool, Unavailable> {
        if let Some((mut rival, head)) = self.rival.take() {
            let decision = rival.decide(RequestId(1), &head, NOW, self);
            assert!(matches!(decision.verdict, Verdict::Forward(_)), "{decision:?}");
        }
        let present = self.slots.get(slot).map_or(u32::MAX, |(_, cas)| *cas);
        if self.always || expected != present {
            return Ok(false);
        }
        self.slots.insert(slot.to_owned(), (value.to_vec(), present.wrapping_add(1).max(1)));
        Ok(true)
    }
}

fn configuration() -> Value {
    json!({
        "authorizer": {
            "type": "jwt", "issuer": "https://idp.example.com", "audiences": ["api"],
            "jwks": {"inline": jwks(&["es1"]).unwrap()}, "dpop": "required", "dpop_origin": "https://api.example.com",
        },
        "paths": [{"method": "GET", "path": "/orders", "auth": true}],
    })
}

fn engine() -> Engine {
    Engine::new(config::load(configuration().to_string().as_bytes(), &|_| None).unwrap(), 7)
}

fn head(id: &str) -> Head {
    let second = NOW.since_epoch().as_secs();
    let token = token(second);
    let mut headers: Vec<(String, String)> =
        [(":method", "GET"), (":path", "/orders")].map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    headers.extend(request(&token, id, second).headers);
    Head { headers: headers.into(), end_of_stream: true }
}

/// How many workers have had connections of the first listener.
fn workers_used(envoy: &Envoy) -> usize {
    let stats = envoy.admin("/stats?filter=worker_.*downstream_cx_total").unwrap();
    let text = String::from_utf8_lossy(&stats.body).into_owned();
    let used = text.lines().filter(|line| line.contains("listener.") && !line.ends_with(": 0"));
    let worker = |line: &str| Some(line.split("worker_").nth(1)?.split('.').next()?.to_owned());
    used.filter_map(worker).collect::<HashSet<_>>().len()
}

fn request(token: &str, id: &str, now: u64) -> Request {
    let claims = json!({"jti": id, "htu": "https://api.example.com/orders"});
    let proof = ProofSpec { claims, ..ProofSpec::default() };
    let spec = TokenSpec { key: "es2".to_owned(), proof: Some(proof), ..TokenSpec::default() };
    let proof = mint(&spec.of_proof(id, token).unwrap(), now).unwrap();
    let headers = [("authorization", format!("DPoP {token}")), ("dpop", proof)];
    Request { path: "/orders".to_owned(), headers: headers.map(|(name, value)| (name.to_owned(), value)).to_vec() }
}

fn token(now: u64) -> String {
    let mut spec = TokenSpec::default();
    let thumbprint = PrivateKey::named("es2").unwrap().thumbprint().unwrap();
    spec.claims.as_object_mut().unwrap().insert("cnf".to_owned(), json!({"jkt": thumbprint}));
    mint(&spec, now).unwrap()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
