//! One configuration on one worker: its engine, the requests that wait under it, and the calls that it has made.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    rc::Rc,
    time::Duration,
};

use proxy_wasm::types::LogLevel;

use super::{
    host::{self, Failure, Map, TheHost},
    metrics::Metrics,
    stream::{self, Stream},
};
use crate::{
    audit,
    engine::{Decision, Engine, Head, HeaderEdit, Reason, Record, RequestId, UnixTime, Verdict},
    provider::{CallAnswer, CallFailure, CallId, Effects, Event, MOST_ANSWER_BYTES},
    route::table::RouteId,
};

/// What a plugin's configuration became, shared by its requests.
pub struct Configured {
    root: u32,
    /// Borrowed for no host call that may call back: a host may carry out there and then what a callback asks for.
    engine: RefCell<Engine>,
    metrics: Metrics,
    /// The requests that wait.
    waiting: RefCell<HashMap<RequestId, Rc<Stream>>>,
    /// The calls that are under way, by the host's numbers, and how long their answers may be.
    calls: RefCell<HashMap<u32, (CallId, usize)>>,
    pace: Rc<Pace>,
    last_failure: Cell<Option<UnixTime>>,
}

impl Configured {
    /// Nothing waits, and nothing has been asked for yet.
    pub fn new(root: u32, engine: Engine, metrics: Metrics, pace: Rc<Pace>) -> Self {
        Self {
            root,
            engine: RefCell::new(engine),
            metrics,
            waiting: RefCell::default(),
            calls: RefCell::default(),
            pace,
            last_failure: Cell::new(None),
        }
    }

    /// Asks for ticks: in the first, keys are fetched, and metrics are told in all.
    pub fn begin(&self) {
        let has_providers = self.engine.try_borrow().is_ok_and(|engine| engine.has_providers());
        let asked = if has_providers { self.pace.hurry() } else { self.pace.begin() };
        if has_providers && asked.is_err() {
            host::log(LogLevel::Error, "gatepost: the host does not tick: keys cannot be fetched");
        }
    }

    /// Decides about a request.
    pub fn decide(&self, id: RequestId, head: &Head) -> Result<Decision, Failure> {
        let mut engine = self.engine.try_borrow_mut().map_err(|_| Failure)?;
        Ok(engine.decide(id, head, host::now()?, &mut TheHost))
    }

    /// Keeps a request until its decision comes.
    pub fn hold(&self, id: RequestId, stream: &Rc<Stream>) -> Result<(), Failure> {
        // Who waits for a body alone is woken by it; now and then somebody looks whose time is over.
        let is_busy = self.engine.try_borrow().map_err(|_| Failure)?.is_busy();
        if is_busy {
            self.pace.hurry()?
        } else {
            self.pace.begin()?
        }
        self.waiting.try_borrow_mut().map_err(|_| Failure)?.insert(id, Rc::clone(stream));
        self.metrics.add_waiting(1);
        Ok(())
    }

    /// Forgets a request that waits no more, or whose stream is gone.
    pub fn forget(&self, id: RequestId) {
        if let Ok(mut engine) = self.engine.try_borrow_mut() {
            engine.forget(id);
        }
        self.let_go(id);
    }

    /// Holds a request no longer.
    fn let_go(&self, id: RequestId) -> Option<Rc<Stream>> {
        let stream = self.waiting.try_borrow_mut().ok()?.remove(&id)?;
        self.metrics.add_waiting(-1);
        Some(stream)
    }

    /// Counts a decision, and writes it down where that is asked for.
    pub fn note(&self, record: &Record) {
        self.metrics.count(record);
        if record.entry.is_some()
            && let Ok(now) = host::now()
            && let Some(line) = record.line(now)
        {
            host::log(LogLevel::Info, &format!("{}{line}", audit::PREFIX));
        }
        if record.reason == Some(Reason::BodyWithheld) {
            let line = "a request whose body is signed was refused: nothing of its body came. If no such request is ever let \
                        through, the host does not show bodies that are held: Envoy needs \
                        `allow_on_headers_stop_iteration: true` in the plugin's configuration";
            if host::now().is_ok_and(|now| self.may_warn(now)) {
                host::log(LogLevel::Warn, &format!("gatepost: {line}"));
            }
        }
    }

    /// Whether a body, of which something comes, is to be read.
    pub fn wants_body(&self, id: RequestId) -> Result<bool, Failure> {
        Ok(self.engine.try_borrow_mut().map_err(|_| Failure)?.wants_body(id))
    }

    /// Takes the next piece of a body. Tells whether a decision is due.
    pub fn take_body(&self, id: RequestId, piece: &[u8]) -> Result<bool, Failure> {
        Ok(self.engine.try_borrow_mut().map_err(|_| Failure)?.body(id, piece))
    }

    /// Takes the end of a body. Tells whether a decision is due.
    pub fn end_body(&self, id: RequestId) -> Result<bool, Failure> {
        Ok(self.engine.try_borrow_mut().map_err(|_| Failure)?.end_of_body(id))
    }

    /// Decides about a request that is held, in a callback of its own. None if it has to wait for something else.
    pub fn resume(&self, id: RequestId) -> Result<Option<Decision>, Failure> {
        let now = host::now()?;
        let decision =
            self.engine.try_borrow_mut().map_err(|_| Failure)?.resume(id, now, &mut TheHost).ok_or(Failure)?;
        if decision.verdict == Verdict::Wait {
            return Ok(None);
        }
        self.let_go(id);
        Ok(Some(decision))
    }

    /// What would have been decided about a request that went on in shadow mode.
    pub fn conclude(&self, id: RequestId) -> Result<Option<Record>, Failure> {
        let now = host::now()?;
        Ok(self.engine.try_borrow_mut().map_err(|_| Failure)?.conclude(id, now, &mut TheHost))
    }

    /// The edits for a request's trailers.
    pub fn trailers(&self, route: Option<RouteId>, count: usize) -> Result<Vec<HeaderEdit>, Failure> {
        let trailers = super::stream::read(Map::RequestTrailers, count)?;
        Ok(self.engine.try_borrow().map_err(|_| Failure)?.trailers(route, &trailers))
    }

    /// Answers a request whose decision could not be made or carried out.
    pub fn answer_failure(&self, head: Option<&Head>) -> Result<(), Failure> {
        let (answer, record) = {
            let engine = self.engine.try_borrow().map_err(|_| Failure)?;
            let now = host::now().unwrap_or(UnixTime::from_secs(0));
            (engine.host_failure(head), engine.host_failure_record(head, now))
        };
        stream::tell(&record);
        self.note(&record);
        host::respond(&answer)
    }

    /// Whether some requests wait.
    pub fn has_waiting(&self) -> bool {
        self.waiting.try_borrow().is_ok_and(|waiting| !waiting.is_empty())
    }

    /// Whether something waits for the next tick.
    pub fn is_busy(&self) -> bool {
        self.engine.try_borrow().is_ok_and(|engine| engine.is_busy())
    }

    /// Whether a call is one of this configuration's.
    pub fn has_called(&self, token: u32) -> bool {
        self.calls.try_borrow().is_ok_and(|calls| calls.contains_key(&token))
    }

    /// What the root does from time to time.
    pub fn on_tick(&self) {
        let (Ok(now), Ok(mut engine)) = (host::now(), self.engine.try_borrow_mut()) else {
            return; // the next tick will do it
        };
        let effects = engine.tick(now, &mut TheHost);
        self.metrics.settle(&mut engine, now);
        drop(engine);
        self.go_on(effects, now);
        self.wake(now);
    }

    /// Takes the answer to a call. Whom it lets go on wakes in the next tick: in this callback the SDK keeps hold of the
    /// streams, and a host that carries out there and then what it asks for would end the VM.
    pub fn on_answer(&self, token: u32, headers: usize, body_size: usize) {
        let call = self.calls.try_borrow_mut().ok().and_then(|mut calls| calls.remove(&token));
        let most_bytes = call.map_or(MOST_ANSWER_BYTES, |(_, most_bytes)| most_bytes);
        let answer = read_answer(headers, body_size, most_bytes);
        let (Some((call, _)), Ok(now), Ok(mut engine)) = (call, host::now(), self.engine.try_borrow_mut()) else {
            return; // given up by a later tick
        };
        let effects = engine.answer(call, answer, now, &mut TheHost);
        drop(engine);
        self.go_on(effects, now);
    }

    /// Leaves what has begun to other workers: this one ends.
    pub fn retire(&self) {
        if let Ok(mut engine) = self.engine.try_borrow_mut() {
            engine.retire(&mut TheHost);
            if let Ok(now) = host::now() {
                self.metrics.settle(&mut engine, now);
            }
        }
    }

    /// Does what the engine asks for.
    fn go_on(&self, effects: Effects, now: UnixTime) {
        let mut all = VecDeque::from([effects]);
        while let Some(effects) = all.pop_front() {
            effects.events.iter().for_each(|event| self.tell(event, now));
            for call in &effects.calls {
                match (host::call(call), self.calls.try_borrow_mut()) {
                    (Ok(token), Ok(mut calls)) => {
                        calls.insert(token, (call.id, call.most_bytes));
                    }
                    _ => {
                        if let Ok(mut engine) = self.engine.try_borrow_mut() {
                            all.push_back(engine.answer(call.id, Err(CallFailure::NotSent), now, &mut TheHost));
                        }
                    }
                }
            }
        }
    }

    /// Lets a bounded number of requests go on: the host may carry each out inside the next, down to the end of its stack.
    fn wake(&self, now: UnixTime) {
        for _ in 0..MOST_WOKEN {
            let next = self.engine.try_borrow_mut().ok().and_then(|mut engine| engine.next_ready());
            let Some(id) = next else {
                break;
            };
            if host::set_effective_context(id.0).is_err() {
                self.forget(id);
                continue;
            }
            let resumed = self.engine.try_borrow_mut().ok().and_then(|mut engine| engine.resume(id, now, &mut TheHost));
            let Some(decision) = resumed.filter(|decision| decision.verdict != Verdict::Wait) else {
                continue;
            };
            if let Some(stream) = self.let_go(id) {
                stream.wake(self, decision);
            }
        }
        let _ = host::set_effective_context(self.root);
    }

    /// One line a second tells as much as one for each request.
    fn may_warn(&self, now: UnixTime) -> bool {
        let second = |last: UnixTime| now < last.saturating_add(Duration::from_secs(1)) && now >= last;
        let may = !self.last_failure.get().is_some_and(second);
        if may {
            self.last_failure.set(Some(now));
        }
        may
    }

    fn tell(&self, event: &Event, now: UnixTime) {
        self.metrics.count_event(event);
        match event {
            // The same again and again is no news.
            Event::LookedUp { .. } | Event::RevocationsFetched { changed: false, .. } => return,
            Event::LookupFailed { .. } if !self.may_warn(now) => return,
            _ => {}
        }
        let level = if event.is_warning() { LogLevel::Warn } else { LogLevel::Info };
        host::log(level, &format!("gatepost: {event}"));
    }
}

/// How often the host ticks for a root context; none before it has been asked to.
#[derive(Default)]
pub struct Pace(Cell<Option<Duration>>);

impl Pace {
    /// Asks for the next tick at once: something waits for it.
    pub fn hurry(&self) -> Result<(), Failure> {
        self.set(BUSY)
    }

    /// Asks for ticks now and then, if there are none.
    pub fn begin(&self) -> Result<(), Failure> {
        if self.0.get().is_none() { self.set(IDLE) } else { Ok(()) }
    }

    /// Asks for ticks now and then, if there are any.
    pub fn rest(&self) -> Result<(), Failure> {
        if self.0.get().is_some() { self.set(IDLE) } else { Ok(()) }
    }

    /// Asking for the same period anew would begin it anew, so that a busy host might never tick.
    fn set(&self, period: Duration) -> Result<(), Failure> {
        if self.0.get() != Some(period) {
            host::set_tick_period(period)?;
            self.0.set(Some(period));
        }
        Ok(())
    }
}

fn read_answer(headers: usize, body_size: usize, most_bytes: usize) -> Result<CallAnswer, CallFailure> {
    if headers == 0 {
        return Err(CallFailure::NoAnswer);
    }
    if body_size > most_bytes {
        return Err(CallFailure::TooLarge(most_bytes));
    }
    let headers = host::headers(Map::CallResponseHeaders).map_err(|Failure| CallFailure::NoAnswer)?;
    let headers = headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.to_vec())).collect();
    let body = if body_size == 0 { Ok(Vec::new()) } else { host::call_response_body() };
    Ok(CallAnswer { headers, body: body.map_err(|Failure| CallFailure::NoAnswer)? })
}

/// Requests that one callback lets go on.
const MOST_WOKEN: usize = 32;
/// The pace of ticks while something waits for one.
const BUSY: Duration = Duration::from_millis(1);
/// The pace at which workers learn of keys that another one has fetched.
const IDLE: Duration = Duration::from_millis(200);
