//! One request: read, decided, held where it has to wait, forwarded or answered.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use proxy_wasm::{
    traits::{Context, HttpContext},
    types::{Action, LogLevel},
};

use super::{
    configured::Configured,
    host::{self, Failure, Map},
};
use crate::{
    engine::{Decision, Head, Reason, Record, RequestId, Verdict},
    headers::Headers,
    route::table::RouteId,
};

/// One request, as the host's callbacks see it.
pub struct Request {
    id: RequestId,
    configured: Option<Rc<Configured>>,
    stream: Rc<Stream>,
}

/// What the callbacks of a stream and of the root both work with.
pub struct Stream {
    state: Cell<State>,
    /// How many trailers came while the request was waiting.
    trailers: Cell<Option<usize>>,
    /// How much of the body was read, of what the host holds.
    read: Cell<usize>,
    /// What to count if the body of a request that went on does not end.
    unread: RefCell<Option<Record>>,
}

/// How far a request has come. Hosts go on calling after a denial, and after the root has resumed a stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Undecided,
    Waiting,
    Forwarded(Option<RouteId>),
    Denied,
}

impl Request {
    /// A request of which nothing is known yet.
    pub fn new(id: u32, configured: Option<Rc<Configured>>) -> Self {
        let stream = Stream {
            state: Cell::new(State::Undecided),
            trailers: Cell::new(None),
            read: Cell::new(0),
            unread: RefCell::new(None),
        };
        Self { id: RequestId(id), configured, stream: Rc::new(stream) }
    }

    /// Decides about the request and carries the decision out.
    fn decide(&self, head: &Head) -> Result<(), Failure> {
        let configured = self.configured.as_ref().ok_or(Failure)?;
        let decision = configured.decide(self.id, head)?;
        if decision.verdict == Verdict::Wait {
            let held = configured.hold(self.id, &self.stream);
            self.stream.state.set(State::Waiting);
            return held.inspect_err(|_| configured.forget(self.id));
        }
        self.stream.carry_out(configured, &decision)
    }

    /// Shows what has come of the body to whoever wants to know: so many bytes, or the trailers that follow it.
    fn take_body(&self, size: Option<usize>, end_of_body: bool) {
        let Some(configured) = &self.configured else {
            return;
        };
        if self.stream.state.get() == State::Waiting {
            if self.take_held_body(configured, size, end_of_body).is_err() {
                configured.forget(self.id);
                self.stream.fail(Some(configured), None);
            }
        } else if self.stream.is_unread() {
            // It went on already, and a shadow denies nothing.
            match self.take_passing_body(configured, size, end_of_body) {
                Ok(None) => {}
                concluded => {
                    configured.forget(self.id);
                    self.stream.conclude(configured, concluded.ok().flatten());
                }
            }
        }
    }

    /// Reads what is new of a body that is held, and decides if that is all it takes.
    fn take_held_body(&self, configured: &Configured, size: Option<usize>, end_of_body: bool) -> Result<(), Failure> {
        if !configured.wants_body(self.id)? {
            return Ok(());
        }
        // What is held is shown again with what is new.
        let read = self.stream.read.get();
        let size = size.unwrap_or(read);
        if size < read {
            return Err(Failure); // this host does not hold it, whatever it was told
        }
        self.stream.read.set(size);
        let is_due = read_body(configured, self.id, read, size, end_of_body)?;
        match if is_due { configured.resume(self.id)? } else { None } {
            Some(decision) => self.stream.carry_out(configured, &decision),
            None => Ok(()),
        }
    }

    /// Reads what passes by of a body. What would have been decided is known when that is all it takes.
    fn take_passing_body(
        &self,
        configured: &Configured,
        size: Option<usize>,
        end_of_body: bool,
    ) -> Result<Option<Record>, Failure> {
        if !configured.wants_body(self.id)? {
            return Ok(None);
        }
        let is_due = read_body(configured, self.id, 0, size.unwrap_or(0), end_of_body)?;
        if is_due { configured.conclude(self.id) } else { Ok(None) }
    }

    fn action(&self) -> Action {
        match self.stream.state.get() {
            State::Forwarded(_) => Action::Continue,
            State::Undecided | State::Waiting | State::Denied => Action::Pause,
        }
    }
}

impl Stream {
    /// Carries out the decision about a request that has waited, and lets it go on.
    pub fn wake(&self, configured: &Configured, decision: Decision) {
        if self.state.get() != State::Waiting {
            return;
        }
        let done = self.carry_out(configured, &decision).and_then(|()| match self.state.get() {
            State::Forwarded(route) => {
                if let Some(count) = self.trailers.get() {
                    host::edit(Map::RequestTrailers, &configured.trailers(route, count)?)?;
                }
                host::resume_request()
            }
            _ => Ok(()),
        });
        if done.is_err() {
            self.fail(Some(configured), None);
        }
    }

    /// Whether it went on before it was known what would be decided.
    fn is_unread(&self) -> bool {
        self.unread.try_borrow().is_ok_and(|unread| unread.is_some())
    }

    /// Notes what would have been decided about a request that went on, or that nobody knows it.
    fn conclude(&self, configured: &Configured, record: Option<Record>) {
        let unread = self.unread.try_borrow_mut().ok().and_then(|mut unread| unread.take());
        if let Some(unread) = unread {
            let record = record.unwrap_or(unread);
            tell(&record);
            configured.note(&record);
        }
    }

    fn carry_out(&self, configured: &Configured, decision: &Decision) -> Result<(), Failure> {
        let record = &decision.record;
        // What would have been decided is known when the body is.
        let is_known = record.reason != Some(Reason::BodyUnread);
        if is_known {
            tell(record); // first: the access log may be written as soon as the request is answered
        }
        match &decision.verdict {
            Verdict::Forward(edits) => {
                host::edit(Map::RequestHeaders, edits)?;
                // Before it is resumed: callbacks come at once.
                self.state.set(State::Forwarded(decision.route));
            }
            Verdict::Deny(answer) => {
                self.state.set(State::Denied);
                host::respond(answer)?;
            }
            Verdict::Wait => return Err(Failure), // not reached: whoever waits is held
        }
        if is_known {
            configured.note(record);
        } else if let Ok(mut unread) = self.unread.try_borrow_mut() {
            *unread = Some(record.clone());
        }
        Ok(())
    }

    /// Answers a request whose decision could not be made or carried out.
    fn fail(&self, configured: Option<&Configured>, head: Option<&Head>) {
        self.state.set(State::Denied);
        host::log(LogLevel::Error, "gatepost: a host call failed, or the plugin is not configured: request denied");
        let answered = configured.ok_or(Failure).and_then(|configured| configured.answer_failure(head));
        if answered.is_err() {
            // Without an answer the stream is reset rather than held for ever.
            host::reset_request();
        }
    }
}

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, count: usize, end_of_stream: bool) -> Action {
        let head = read(Map::RequestHeaders, count).map(|headers| Head { headers, end_of_stream });
        let configured = self.configured.as_deref();
        match head {
            Ok(head) if self.decide(&head).is_err() => self.stream.fail(configured, Some(&head)),
            Ok(_) => {}
            Err(Failure) => self.stream.fail(configured, None),
        }
        self.action()
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.take_body(Some(size), end_of_stream);
        self.action()
    }

    fn on_http_request_trailers(&mut self, count: usize) -> Action {
        // With trailers no body callback reports the end.
        self.take_body(None, true);
        match (self.stream.state.get(), self.configured.as_ref()) {
            (State::Forwarded(route), Some(configured)) => {
                let edits = configured.trailers(route, count);
                if edits.and_then(|edits| host::edit(Map::RequestTrailers, &edits)).is_err() {
                    self.stream.fail(Some(configured), None);
                }
            }
            (State::Waiting, _) => self.stream.trailers.set(Some(count)),
            _ => {}
        }
        self.action()
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let Some(configured) = &self.configured else {
            return;
        };
        if self.stream.state.get() == State::Waiting || self.stream.is_unread() {
            configured.forget(self.id);
        }
        self.stream.conclude(configured, None);
    }
}

/// Shows a part of a body to the engine, all of it: what is too long for one authenticator need not be for another. Tells
/// whether a decision is due.
fn read_body(configured: &Configured, id: RequestId, from: usize, to: usize, is_last: bool) -> Result<bool, Failure> {
    let mut read = from;
    let mut is_due = false;
    while read < to {
        let part = host::request_body(read, to.saturating_sub(read).min(MOST_AT_ONCE))?;
        read = read.saturating_add(part.len());
        is_due |= configured.take_body(id, &part)?;
    }
    Ok((is_last && configured.end_body(id)?) || is_due)
}

/// Tells the host's access log of a decision.
pub fn tell(record: &Record) {
    let facts = [
        ("gatepost.authenticator", record.authenticator.as_deref()),
        ("gatepost.subject", record.subject.as_deref()),
        ("gatepost.reason", record.reason.map(Reason::label)),
    ];
    for (name, fact) in facts {
        if let Some(fact) = fact {
            host::tell(name, fact);
        }
    }
}

/// All headers of a map. A host that gives fewer than it announced may hold back the one that matters.
pub fn read(map: Map, count: usize) -> Result<Headers, Failure> {
    let headers = host::headers(map)?;
    if headers.len() == count { Ok(headers) } else { Err(Failure) }
}

/// How much of a body is in the module's memory at a time.
const MOST_AT_ONCE: usize = 64 * 1024;
