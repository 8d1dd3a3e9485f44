//! One request: read, decided, held where it has to wait, forwarded or answered.

use std::{cell::Cell, rc::Rc};

use proxy_wasm::{
    traits::{Context, HttpContext},
    types::{Action, LogLevel},
};

use super::{
    configured::Configured,
    host::{self, Failure, Map},
};
use crate::{
    engine::{Decision, Head, RequestId, Verdict},
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
        let stream = Stream { state: Cell::new(State::Undecided), trailers: Cell::new(None) };
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

    fn carry_out(&self, configured: &Configured, decision: &Decision) -> Result<(), Failure> {
        configured.count(decision);
        match &decision.verdict {
            Verdict::Forward(edits) => {
                host::edit(Map::RequestHeaders, edits)?;
                // Before it is resumed: callbacks come at once.
                self.state.set(State::Forwarded(decision.route));
                Ok(())
            }
            Verdict::Deny(answer) => {
                self.state.set(State::Denied);
                host::respond(answer)
            }
            Verdict::Wait => Err(Failure), // not reached: whoever waits is held
        }
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

    fn on_http_request_body(&mut self, _: usize, _: bool) -> Action {
        self.action()
    }

    fn on_http_request_trailers(&mut self, count: usize) -> Action {
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
        if self.stream.state.get() == State::Waiting
            && let Some(configured) = &self.configured
        {
            configured.forget(self.id);
        }
    }
}

/// All headers of a map. A host that gives fewer than it announced may hold back the one that matters.
pub fn read(map: Map, count: usize) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let headers = host::headers(map)?;
    if headers.len() == count { Ok(headers) } else { Err(Failure) }
}
