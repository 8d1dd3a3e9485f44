//! What a worker of a proxy is to its engine: the clock, the ticks, the calls, and the data that workers share.

use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use gatepost::{
    engine::{Decision, Engine, Head, RequestId, UnixTime, Verdict},
    host::{Host, Store, Unavailable},
    provider::{Call, CallAnswer, CallFailure, CallId, Effects},
};

use super::super::{
    placeholder::Placeholders,
    simulation::{Machine, Outgoing, Reply},
};
use crate::{foreign, host::SharedData, provider::Asked};

/// An engine, and what it has asked for.
pub(super) struct Worker<'a> {
    pub(super) engine: Engine,
    clusters: Vec<&'a str>,
    shared: SharedData,
    /// What each request's connection is.
    properties: BTreeMap<RequestId, BTreeMap<String, Vec<u8>>>,
    now: Duration,
    decisions: BTreeMap<RequestId, Decision>,
    calls: Vec<Outgoing<CallId>>,
    /// Every line that it would have logged.
    log: Vec<String>,
}

impl<'a> Worker<'a> {
    /// A worker whose clock stands at a Unix time in seconds, and whose proxy knows these clusters.
    pub(super) fn new(mut engine: Engine, clusters: Vec<&'a str>, clock: u64) -> Self {
        engine.find_host_crypto(&mut Shared(&SharedData::default(), &NOBODYS));
        Self {
            engine,
            clusters,
            shared: SharedData::default(),
            properties: BTreeMap::new(),
            now: Duration::from_secs(clock),
            decisions: BTreeMap::new(),
            calls: Vec::new(),
            log: Vec::new(),
        }
    }

    pub(super) fn decide(&mut self, id: RequestId, head: &Head, properties: BTreeMap<String, Vec<u8>>) {
        let properties = self.properties.entry(id).or_insert(properties);
        let now = unix_time(self.now);
        let decision = self.engine.decide(id, head, now, &mut Shared(&self.shared, properties));
        self.decisions.insert(id, decision);
    }

    /// Shows what comes of a request's body, piece by piece, as far as it is wanted, and whether it ends.
    pub(super) fn show_body(&mut self, id: RequestId, chunks: &[Vec<u8>], ends: bool) {
        let pieces = chunks.iter().map(Some).chain(ends.then_some(None));
        for piece in pieces {
            let is_due = self.engine.wants_body(id)
                && match piece {
                    Some(piece) => self.engine.body(id, piece),
                    None => self.engine.end_of_body(id),
                };
            if is_due {
                let now = self.time();
                let properties = self.properties.get(&id).unwrap_or(&NOBODYS);
                let host = &mut Shared(&self.shared, properties);
                match self.decisions.get_mut(&id) {
                    Some(decision) if decision.verdict == Verdict::Wait => {
                        *decision = self.engine.resume(id, now, host).expect("it waits");
                    }
                    Some(decision) => decision.record = self.engine.conclude(id, now, host).expect("it is watched"),
                    None => {}
                }
            }
        }
    }

    pub(super) fn is_decided(&self, id: RequestId) -> bool {
        self.decisions.get(&id).is_some_and(|decision| decision.verdict != Verdict::Wait)
    }

    /// The decision about a request, whose stream ends with it.
    pub(super) fn take(&mut self, id: RequestId) -> Decision {
        self.engine.forget(id);
        self.decisions.remove(&id).expect("whoever asks has had it decided")
    }

    /// What was left behind: requests that wait, and secrets in the log.
    pub(super) fn leaks(&self, placeholders: &Placeholders<'_>) -> Vec<String> {
        let waiting = self.engine.waiting();
        let waiting = (waiting > 0).then(|| format!("{waiting} requests wait that nobody holds"));
        let tokens = placeholders.minted();
        let told = self.log.iter().filter(|line| tokens.iter().any(|token| line.contains(token.as_str())));
        waiting.into_iter().chain(told.map(|line| format!("a token is in the log: {line}"))).collect()
    }

    fn time(&self) -> UnixTime {
        unix_time(self.now)
    }

    /// Does what the engine asks for, and takes the decisions that it has come to.
    fn go_on(&mut self, effects: Effects) {
        let mut all = vec![effects];
        while let Some(Effects { calls, events }) = all.pop() {
            self.log.extend(events.iter().map(ToString::to_string));
            for call in calls {
                if self.clusters.contains(&call.cluster.as_str()) {
                    self.calls.push(outgoing(call));
                } else {
                    let (now, failure) = (self.time(), Err(CallFailure::NotSent));
                    all.push(self.engine.answer(call.id, failure, now, &mut Shared(&self.shared, &NOBODYS)));
                }
            }
        }
        let now = self.time();
        while let Some(id) = self.engine.next_ready() {
            let properties = self.properties.get(&id).unwrap_or(&NOBODYS);
            let decision = self.engine.resume(id, now, &mut Shared(&self.shared, properties));
            self.decisions.extend(decision.map(|decision| (id, decision)));
        }
    }
}

impl Machine for Worker<'_> {
    type Call = CallId;
    type Error = Infallible;

    fn advance(&mut self, by: Duration) -> Result<(), Infallible> {
        self.now += by;
        if self.engine.has_providers() || self.engine.waiting() > 0 {
            let now = self.time();
            let effects = self.engine.tick(now, &mut Shared(&self.shared, &NOBODYS));
            self.go_on(effects);
        }
        Ok(())
    }

    fn period(&mut self) -> Option<Duration> {
        let period = if self.engine.is_busy() { BUSY } else { IDLE };
        (self.engine.has_providers() || self.engine.waiting() > 0).then_some(period)
    }

    fn calls(&mut self) -> Vec<Outgoing<CallId>> {
        std::mem::take(&mut self.calls)
    }

    fn answer(&mut self, call: CallId, reply: Reply) -> Result<(), Infallible> {
        let answer = match reply {
            Reply { headers, .. } if headers.is_empty() => Err(CallFailure::NoAnswer),
            Reply { headers, body } => Ok(CallAnswer { headers, body }),
        };
        let now = self.time();
        let effects = self.engine.answer(call, answer, now, &mut Shared(&self.shared, &NOBODYS));
        self.go_on(effects);
        Ok(())
    }
}

/// Shared data, and the properties of one stream, as the plugin gives them to the engine.
struct Shared<'a>(&'a SharedData, &'a BTreeMap<String, Vec<u8>>);

impl Store for Shared<'_> {
    fn get(&mut self, slot: &str) -> Result<Option<(Vec<u8>, u32)>, Unavailable> {
        Ok(self.0.get(slot.as_bytes()))
    }

    fn set(&mut self, slot: &str, value: &[u8], expected: u32) -> Result<bool, Unavailable> {
        Ok(self.0.set(slot.as_bytes().to_vec(), value.to_vec(), expected).is_ok())
    }
}

impl Host for Shared<'_> {
    fn property(&mut self, path: &[&str]) -> Option<Vec<u8>> {
        self.1.get(&path.join("\0")).cloned()
    }

    fn call(&mut self, function: &str, arguments: &[u8]) -> Option<Vec<u8>> {
        foreign::call(function, arguments)
    }
}

fn unix_time(since_epoch: Duration) -> UnixTime {
    UnixTime::from_nanos(u64::try_from(since_epoch.as_nanos()).expect("before the year 2554"))
}

fn outgoing(call: Call) -> Outgoing<CallId> {
    let text = |name: &str| call.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
    let fields = call.headers.iter().filter(|(name, _)| !name.starts_with(':'));
    let asked = Asked {
        method: text(":method").unwrap_or_default(),
        authority: text(":authority").unwrap_or_default(),
        path: text(":path").unwrap_or_default(),
        headers: fields.map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect(),
        body: call.body,
    };
    Outgoing { call: call.id, asked, timeout: call.timeout }
}

/// What the root context is told of connections.
static NOBODYS: BTreeMap<String, Vec<u8>> = BTreeMap::new();

/// As the plugin's.
const BUSY: Duration = Duration::from_millis(1);
const IDLE: Duration = Duration::from_millis(200);
