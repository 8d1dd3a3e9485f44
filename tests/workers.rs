//! Whatever order things happen in, and whatever fails: one worker fetches at a time, every request that waits is
//! decided in time, and nobody passes without a key that says so, nor against a list that does not.

use std::{collections::HashMap, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use gatepost::{
    config,
    engine::{Decision, Engine, Head, RequestId, UnixTime, Verdict},
    host::{Host, Store, Unavailable},
    provider::{Call, CallAnswer, CallFailure},
};
use hmac::{Hmac, Mac as _};
use proptest::prelude::*;
use sha2::Sha256;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Happening {
    /// Time passes.
    Passes(u64),
    /// A worker ticks.
    Tick(usize),
    /// A request comes to a worker.
    Request(usize, Token),
    /// A client goes away.
    Leaves(u32),
    /// A call, one of those that are open, is answered.
    Answered(usize, Answer),
    /// A call is never answered.
    Lost(usize),
    /// A worker goes away, told or not, and another one takes its place.
    Restart(usize, bool),
    /// The store fails for a while, or works again.
    StoreFails(bool),
    /// The clock is set back.
    ClockBack(u64),
}

#[derive(Clone, Copy, Debug)]
enum Token {
    /// Good if the keys are [`KEYS`].
    Signed,
    /// Never good.
    Forged,
    Opaque,
    /// Good unless the list is [`OTHER_LIST`].
    Listed,
    /// Revoked by both lists.
    Revoked,
}

#[derive(Clone, Debug)]
enum Answer {
    Good,
    Other,
    Status(u16),
    Text(&'static str),
    None,
}

/// A proxy with some workers.
struct Proxy {
    workers: Vec<Engine>,
    shared: Shared,
    /// Milliseconds.
    now: u64,
    requests: u32,
    restarts: u64,
    /// Of which worker, and when it was sent.
    open: Vec<(usize, Call, u64)>,
    /// When each request came, and to which worker.
    waiting: HashMap<u32, (usize, u64)>,
}

impl Proxy {
    fn new() -> Self {
        let workers = (0..WORKERS).map(|seed| engine(seed as u64)).collect();
        let (open, waiting) = (Vec::new(), HashMap::new());
        Self { workers, shared: Shared::default(), now: 0, requests: 0, restarts: 0, open, waiting }
    }

    fn now(&self) -> UnixTime {
        UnixTime::from_nanos(1_800_000_000_000_000_000 + self.now * 1_000_000)
    }

    fn happen(&mut self, happening: Happening) -> Result<(), TestCaseError> {
        let now = self.now();
        match happening {
            Happening::Passes(millis) => self.now += millis,
            Happening::Tick(worker) => {
                let effects = self.workers[worker].tick(now, &mut self.shared);
                self.send(worker, effects.calls)?;
                self.decide(worker)?;
            }
            Happening::Request(worker, token) => {
                self.requests += 1;
                let decision =
                    self.workers[worker].decide(RequestId(self.requests), &head(token), now, &mut self.shared);
                if decision.verdict == Verdict::Wait {
                    self.waiting.insert(self.requests, (worker, self.now));
                } else {
                    check(&decision)?;
                }
            }
            Happening::Leaves(id) => {
                if let Some((worker, _)) = self.waiting.remove(&id) {
                    self.workers[worker].forget(RequestId(id));
                }
            }
            Happening::Answered(index, answer) if !self.open.is_empty() => {
                let (worker, call, _) = self.open.remove(index % self.open.len());
                if worker == GONE {
                    return Ok(());
                }
                let effects = self.workers[worker].answer(call.id, answer.of(&call), now, &mut self.shared);
                self.send(worker, effects.calls)?;
                self.decide(worker)?;
            }
            Happening::Lost(index) if !self.open.is_empty() => {
                let index = index % self.open.len();
                self.open.remove(index);
            }
            Happening::Answered(..) | Happening::Lost(_) => {}
            Happening::StoreFails(fails) => self.shared.fails = fails,
            Happening::ClockBack(millis) => {
                self.now = self.now.saturating_sub(millis);
                // What was to be over by a time takes longer by the clock; that it ends is checked all the same.
                self.waiting.values_mut().for_each(|(_, came)| *came = self.now.max(*came));
                self.open.iter_mut().for_each(|(.., sent)| *sent = BEFORE);
            }
            Happening::Restart(worker, told) => {
                if told {
                    self.workers[worker].retire(&mut self.shared);
                }
                self.restarts += 1;
                self.workers[worker] = engine(self.restarts + 100);
                // Of one that is not told nobody knows that its fetch will not end.
                self.open.retain(|(of, ..)| !told || *of != worker);
                self.open.iter_mut().filter(|(of, ..)| *of == worker).for_each(|(of, ..)| *of = GONE);
                self.waiting.retain(|_, (of, _)| *of != worker);
            }
        }
        Ok(())
    }

    fn send(&mut self, worker: usize, calls: Vec<Call>) -> Result<(), TestCaseError> {
        for call in calls {
            if is_fetch(&call) && !self.shared.failed {
                let others = self.open.iter().filter(|(_, other, sent)| {
                    is_fetch(other) && path(other) == path(&call) && *sent != BEFORE && self.now < sent + TIMEOUT
                });
                prop_assert_eq!(others.count(), 0, "two workers fetch {} at {}", path(&call), self.now);
            }
            self.open.push((worker, call, self.now));
        }
        Ok(())
    }

    fn decide(&mut self, worker: usize) -> Result<(), TestCaseError> {
        let now = self.now();
        while let Some(id) = self.workers[worker].next_ready() {
            let decision = self.workers[worker].resume(id, now, &mut self.shared).unwrap();
            if decision.verdict != Verdict::Wait {
                prop_assert!(self.waiting.remove(&id.0).is_some(), "{id:?} is decided and does not wait");
                check(&decision)?;
            }
        }
        Ok(())
    }

    /// Ticks until everything has to be over, and until all workers know the keys that there are by then.
    fn end(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..20 {
            for worker in 0..WORKERS {
                self.happen(Happening::Tick(worker))?;
            }
            self.now += TIMEOUT;
        }
        prop_assert!(self.waiting.is_empty(), "they wait for ever: {:?}", self.waiting);
        prop_assert!(self.workers.iter().all(|worker| worker.waiting() == 0 && !worker.is_busy()));
        for _ in 0..20 {
            self.now += 10_000;
            for worker in 0..WORKERS {
                self.happen(Happening::Tick(worker))?;
                while !self.open.is_empty() {
                    self.happen(Happening::Answered(0, Answer::Good))?;
                }
            }
        }
        for worker in 0..WORKERS {
            self.happen(Happening::Tick(worker))?;
            let now = self.now();
            for token in [Token::Signed, Token::Listed] {
                let decision = self.workers[worker].decide(RequestId(u32::MAX), &head(token), now, &mut self.shared);
                let is_forwarded = matches!(decision.verdict, Verdict::Forward(_));
                prop_assert!(is_forwarded, "worker {worker} does not know the keys or the list: {token:?}");
            }
            let decision =
                self.workers[worker].decide(RequestId(u32::MAX), &head(Token::Revoked), now, &mut self.shared);
            let is_refused = matches!(&decision.verdict, Verdict::Deny(answer) if answer.status == 401);
            prop_assert!(is_refused, "worker {worker} does not know the list");
        }
        Ok(())
    }
}

impl Answer {
    fn of(&self, call: &Call) -> Result<CallAnswer, CallFailure> {
        let (status, body) = match self {
            Self::None => return Err(CallFailure::NoAnswer),
            Self::Status(status) => (*status, ""),
            Self::Text(text) => (200, *text),
            Self::Good if path(call) == "/jwks" => (200, KEYS),
            Self::Good if path(call) == "/revoked" => (200, LIST),
            Self::Good => (200, r#"{"active": true, "aud": "a"}"#),
            Self::Other if path(call) == "/jwks" => (200, OTHER_KEYS),
            Self::Other if path(call) == "/revoked" => (200, OTHER_LIST),
            Self::Other => (200, r#"{"active": false}"#),
        };
        let headers = vec![(":status".to_owned(), status.to_string().into_bytes())];
        Ok(CallAnswer { headers, body: body.as_bytes().to_vec() })
    }
}

/// What Envoy has, and what it never does: it may fail.
#[derive(Default)]
struct Shared {
    slots: HashMap<String, (Vec<u8>, u32)>,
    fails: bool,
    /// Whether it ever failed: from then on some workers may stand for themselves.
    failed: bool,
}

impl Shared {
    fn check(&mut self) -> Result<(), Unavailable> {
        self.failed |= self.fails;
        if self.fails { Err(Unavailable) } else { Ok(()) }
    }
}

impl Host for Shared {
    fn property(&mut self, _: &[&str]) -> Option<Vec<u8>> {
        None
    }
}

impl Store for Shared {
    fn get(&mut self, slot: &str) -> Result<Option<(Vec<u8>, u32)>, Unavailable> {
        self.check()?;
        Ok(self.slots.get(slot).cloned())
    }

    fn set(&mut self, slot: &str, value: &[u8], expected: u32) -> Result<bool, Unavailable> {
        self.check()?;
        let present = self.slots.get(slot).map(|(_, cas)| *cas);
        if present.is_some_and(|present| expected != 0 && expected != present) {
            return Ok(false);
        }
        self.slots.insert(slot.to_owned(), (value.to_vec(), present.unwrap_or(0) + 1));
        Ok(true)
    }
}

fn engine(seed: u64) -> Engine {
    Engine::new(config::load(CONFIGURATION.as_bytes(), &|_| None).unwrap(), seed)
}

fn head(token: Token) -> Head {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let id = if matches!(token, Token::Revoked) { "revoked" } else { "listed" };
    let claims = encode(format!(r#"{{"iss":"i","aud":"a","exp":1900000000,"jti":"{id}"}}"#).as_bytes());
    let input = format!("{}.{claims}", encode(br#"{"alg":"HS256","kid":"a"}"#));
    let signature = Hmac::<Sha256>::new_from_slice(SECRET).unwrap().chain_update(&input).finalize().into_bytes();
    let (path, token) = match token {
        Token::Signed => ("/jwt", format!("{input}.{}", encode(&signature))),
        Token::Forged => ("/forged", format!("{input}.AAAA")),
        Token::Opaque => ("/opaque", "opaque".to_owned()),
        Token::Listed => ("/listed", format!("{input}.{}", encode(&signature))),
        Token::Revoked => ("/revoked", format!("{input}.{}", encode(&signature))),
    };
    let headers = [
        (":method", "GET".to_owned()),
        (":path", path.to_owned()),
        (":authority", "h".to_owned()),
        ("authorization", format!("Bearer {token}")),
    ];
    Head { headers: headers.into_iter().collect(), end_of_stream: true }
}

/// Nothing makes the forged token good, nor the revoked one. Refusals are 401 or 503.
fn check(decision: &Decision) -> Result<(), TestCaseError> {
    match &decision.verdict {
        Verdict::Deny(answer) => prop_assert!(matches!(answer.status, 401 | 503), "{}", answer.status),
        Verdict::Forward(_) => {
            let route = decision.record.route.as_deref().unwrap_or_default();
            prop_assert!(!route.contains("/forged") && !route.contains("/revoked"), "{}", route);
        }
        Verdict::Wait => prop_assert!(false, "decided, and waits"),
    }
    Ok(())
}

fn path(call: &Call) -> &str {
    call.headers.iter().find(|(name, _)| name == ":path").map_or("", |(_, path)| path)
}

fn is_fetch(call: &Call) -> bool {
    call.body.is_empty()
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let answer = prop_oneof![
        4 => Just(Answer::Good),
        2 => Just(Answer::Other),
        1 => Just(Answer::Status(500)),
        1 => Just(Answer::Text("<html>")),
        1 => Just(Answer::Text("{\"keys\": []}")),
        1 => Just(Answer::Text("{\"revoked\": [{\"iss\": \"i\"}]}")),
        1 => Just(Answer::None),
    ];
    let token = prop_oneof![
        Just(Token::Signed),
        Just(Token::Forged),
        Just(Token::Opaque),
        Just(Token::Listed),
        Just(Token::Revoked)
    ];
    let happening = prop_oneof![
        4 => prop_oneof![0..50_u64, 0..3_000_u64, 0..30_000_u64].prop_map(Happening::Passes),
        8 => (0..WORKERS).prop_map(Happening::Tick),
        8 => (0..WORKERS, token).prop_map(|(worker, token)| Happening::Request(worker, token)),
        1 => (0..60_u32).prop_map(Happening::Leaves),
        5 => (0..8_usize, answer).prop_map(|(index, answer)| Happening::Answered(index, answer)),
        1 => (0..8_usize).prop_map(Happening::Lost),
        1 => (0..WORKERS, any::<bool>()).prop_map(|(worker, told)| Happening::Restart(worker, told)),
        1 => any::<bool>().prop_map(Happening::StoreFails),
        1 => (0..100_000_u64).prop_map(Happening::ClockBack),
    ];
    proptest::collection::vec(happening, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn one_fetches_everyone_is_decided_and_nobody_passes_unproven(happenings in happenings()) {
        let mut proxy = Proxy::new();
        for happening in happenings {
            proxy.happen(happening)?;
            let overdue = |(_, (_, came)): &(&u32, &(usize, u64))| proxy.now > *came + TIMEOUT + GRACE + 1;
            let late = proxy.waiting.iter().filter(overdue).count();
            if late > 0 {
                (0..WORKERS).try_for_each(|worker| proxy.happen(Happening::Tick(worker)))?;
                let late: Vec<_> = proxy.waiting.iter().filter(|(_, (_, came))| proxy.now > *came + TIMEOUT + GRACE + 1).collect();
                prop_assert!(late.is_empty(), "they wait for too long at {}: {:?}", proxy.now, late);
            }
        }
        proxy.end()?;
    }
}

const WORKERS: usize = 3;
/// The worker of a call whose worker is not there any more.
const GONE: usize = WORKERS;
/// When a call was sent before the clock was set back.
const BEFORE: u64 = u64::MAX;
const SECRET: &[u8] = b"01234567890123456789012345678901";
/// Milliseconds, of the configuration.
const TIMEOUT: u64 = 2000;
const GRACE: u64 = Duration::from_secs(1).as_millis() as u64;

const KEYS: &str = r#"{"keys": [{"kty": "oct", "k": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE", "kid": "a"}]}"#;
const OTHER_KEYS: &str =
    r#"{"keys": [{"kty": "oct", "k": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE", "kid": "b"}]}"#;

const LIST: &str = r#"{"revoked": [{"iss": "i", "value": "revoked"}]}"#;
const OTHER_LIST: &str = r#"{"revoked": [{"iss": "i", "value": "listed"}, {"iss": "i", "value": "revoked"}]}"#;

const CONFIGURATION: &str = r#"{
    "authenticators": {
        "users": {"type": "jwt", "issuer": "i", "audiences": "a", "jwks": {"remote": {
            "url": "https://idp/jwks", "cluster": "idp", "timeout": "2s", "refresh": "20s", "max_stale": "60s", "cooldown": "5s"}}},
        "listed": {"type": "jwt", "issuer": "i", "audiences": "a", "secret": "01234567890123456789012345678901", "revocation": {
            "url": "https://idp/revoked", "cluster": "idp", "timeout": "2s", "refresh": "20s", "max_stale": "60s"}},
        "opaque": {"type": "introspection", "url": "https://idp/introspect", "cluster": "idp", "client_id": "c",
                   "client_secret": "s", "timeout": "2s", "audiences": "a", "cache": {"ttl": "5s", "negative_ttl": "1s"}}
    },
    "paths": [{"method": "GET", "path": "/jwt", "auth": "users"}, {"method": "GET", "path": "/forged", "auth": "users"},
              {"method": "GET", "path": "/listed", "auth": "listed"}, {"method": "GET", "path": "/revoked", "auth": "listed"},
              {"method": "GET", "path": "/opaque", "auth": "opaque"}]
}"#;
